#!/bin/sh
# Installs missing programs that the Makefile's targets need. It does not change installed ones.
# It never asks for a password: without root, or sudo without a password, it prints what to install.
#
#   scripts/setup.sh venv       .venv, made with Python 3.11 or newer
#   scripts/setup.sh node       Node.js and npm
#   scripts/setup.sh browser    Chromium and its headless shell, from the system or from Playwright (needs .venv)
#   scripts/setup.sh engines    Firefox and WebKit, in which some tests run as well (Debian)
#   scripts/setup.sh servers    nginx, Caddy and Redis, which some tests run
set -eu

OLDEST_NODE=18
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # Debian keeps nginx there

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
on_debian() { [ -f /etc/debian_version ] && have apt-get; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

# add DEBIAN_PACKAGES [FORMULA]: installs with apt-get on Debian, with Homebrew on macOS; fails where there is neither.
add() {
  if on_debian && as_root true; then
    say "installing $1"
    as_root apt-get update -qq || say "apt-get update failed; using the package lists that are on this machine"
    # shellcheck disable=SC2086 # several packages
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 >/dev/null
  elif [ -n "${2-}" ] && have brew; then
    say "installing $2"
    brew install --quiet "$2" >&2
  else
    return 1
  fi
}

how_to_install() {
  if on_debian; then echo "as root, apt-get install $1"; else echo "brew install ${2:-$1}"; fi
}

find_python() {
  candidates=${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}
  for python in $candidates; do
    if "$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  fail "Python 3.11 or newer is needed, and none of these is that new: $candidates." \
    "Install it ($(how_to_install python3 python)), or say where it is: make PYTHON=/path/to/python3"
}

setup_venv() {
  python=$(find_python)
  if ! "$python" -c "import ensurepip" 2>/dev/null; then
    package=$("$python" -c "import sys; print('python%d.%d-venv' % sys.version_info[:2])")
    add "$package" || fail "$python cannot make virtual environments: $(how_to_install "$package")"
  fi
  # Dependency groups (PEP 735) came with pip 25.1. An unfinished environment is removed: the next run would use it.
  { "$python" -m venv --clear .venv && .venv/bin/python -m pip install --quiet --upgrade "pip>=25.1"; } ||
    { rm -rf .venv; fail "could not make .venv with $python"; }
}

node_is_usable() {
  have npm && have node && [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge "$OLDEST_NODE" ]
}

setup_node() {
  node_is_usable || add "nodejs npm" node || true
  node_is_usable ||
    fail "Node.js $OLDEST_NODE or newer and npm are needed to check and test static/, and for the tests' copies of htmx:" \
      "$(how_to_install "nodejs npm" node)"
}

# The names that e2e/conftest.py looks for, in the same order.
has_shell() { have chromium-headless-shell; }
has_browser() { have chromium || have chromium-browser || have google-chrome; }

setup_browser() {
  # Most tests run in the shell, which costs half as much as the whole browser. The others need the browser.
  has_shell || { on_debian && add chromium-headless-shell 2>/dev/null; } || true
  has_browser && return
  add chromium && return
  say "no Chromium on this machine: installing Playwright's"
  if on_debian; then as_root .venv/bin/python -m playwright install-deps chromium >&2 || true; fi
  .venv/bin/python -m playwright install chromium >&2 ||
    fail "the tests need Chromium, and neither the system's nor Playwright's can be installed: $(how_to_install chromium)"
}

# The names that e2e/engines/ looks for.
setup_engines() {
  have firefox-esr || have firefox || add firefox-esr firefox || missing_engine firefox
  { have WebKitWebDriver && have Xvfb && have dbus-run-session; } || add "webkit2gtk-driver xvfb xauth dbus" || missing_engine webkit
}

missing_engine() {
  say "there is no $1 on this machine, so the tests in it will fail, unless SSE_SKIP_ENGINES=$1 is set"
}

setup_servers() {
  for server in nginx caddy redis-server; do
    have "$server" || add "$server" "${server%-server}" ||
      say "there is no $server, so the tests that need it will fail ($(how_to_install "$server" "${server%-server}"))"
  done
}

cd "$(dirname "$0")/.."
case "${1-}" in
  venv | node | browser | engines | servers) "setup_$1" ;;
  *) fail "usage: scripts/setup.sh venv | node | browser | engines | servers" ;;
esac
