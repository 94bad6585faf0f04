#!/bin/sh
# SPM in GNU Octave, called as SPM standalone is: spm_octave.sh SPM_FOLDER script FILE.m
# "-" as folder: SPM is in Octave's own path. Paths go through the environment, so that spaces and
# quotes in them cannot break the text that Octave reads.
CLINICA_GADO_SPM=$1
CLINICA_GADO_SCRIPT=$3
export CLINICA_GADO_SPM CLINICA_GADO_SCRIPT
exec octave --no-gui --quiet --eval "
home = getenv('CLINICA_GADO_SPM');
if ~strcmp(home, '-'), addpath(home); end
more off;
spm('defaults', 'pet');
spm_get_defaults('cmdline', true);
run(getenv('CLINICA_GADO_SCRIPT'));
"
