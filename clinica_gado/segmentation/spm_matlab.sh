#!/bin/sh
# SPM in MATLAB, called as SPM standalone is: spm_matlab.sh SPM_FOLDER script FILE.m
# "-" as folder: SPM is in MATLAB's own path. Paths go through the environment, so that spaces and
# quotes in them cannot break the text that MATLAB reads.
CLINICA_GADO_SPM=$1
CLINICA_GADO_SCRIPT=$3
export CLINICA_GADO_SPM CLINICA_GADO_SCRIPT
exec matlab -nodesktop -nodisplay -nosplash -r "try, \
home = getenv('CLINICA_GADO_SPM'); \
if ~strcmp(home, '-'), addpath(home); end; \
spm('defaults', 'pet'); \
spm_get_defaults('cmdline', true); \
run(getenv('CLINICA_GADO_SCRIPT')); \
catch problem, disp(problem.message); exit(1); end; exit(0);"
