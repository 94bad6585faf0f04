#!/bin/sh
# Install clinica-gado into a fresh environment from a wheelhouse, without network and by checksum.
#   [PYTHON=python3.11] [TORCH_BUILD=cpu|cuda] sh install.sh LOCKS WHEELHOUSE ENVIRONMENT
set -eu
locks=$1 wheelhouse=$2 environment=$3
lock=$locks/linux-py311

"${PYTHON:-python3.11}" -m venv --clear "$environment"
install() {
    # A setting of the machine must not bring an index in, nor a looser choice of packages.
    env PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS="$wheelhouse" PIP_DISABLE_PIP_VERSION_CHECK=1 \
        "$environment/bin/python" -m pip install --quiet --no-cache-dir --no-index "$@"
}
# Two packages come as sources: what builds them is installed first, by checksum as well.
install --require-hashes -r "$lock-build.txt"
install --require-hashes --no-build-isolation -r "$lock.txt" -r "$lock-torch-${TORCH_BUILD:-cpu}.txt"
install --no-deps clinica-gado
"$environment/bin/python" -m pip check
