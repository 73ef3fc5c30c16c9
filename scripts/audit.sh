#!/bin/sh
# Asks the registries for known vulnerabilities of what is installed. A registry that does not answer is no failure; a
# vulnerability is. The argument is the Python of the virtual environment.
python=$1
failed=0

found=$(timeout 60 "$python" -m pip_audit --skip-editable --progress-spinner off --timeout 15 2>&1)
case $? in
  0) echo "pip-audit: nothing known" ;;
  *) if printf '%s' "$found" | grep -q "known vulnerabilit"; then echo "$found"; failed=1
     else echo "pip-audit: the registry does not answer"; fi ;;
esac

found=$(timeout 60 npm audit 2>&1)
case $? in
  0) echo "npm audit: nothing known" ;;
  *) if printf '%s' "$found" | grep -q "^Severity:\|vulnerabilities ("; then echo "$found"; failed=1
     else echo "npm audit: the registry does not answer"; fi ;;
esac

exit $failed
