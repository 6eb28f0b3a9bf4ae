# shellcheck shell=bash
# Where the programs are that the tests need. Each find_… prints a path, or nothing.

find_redis_server() { command -v redis-server || true; }
find_chromium() { command -v chromium || command -v chromium-browser || true; }
find_chromedriver() { command -v chromedriver || true; }
find_npm() { command -v npm || true; }
find_compiler() { command -v cc || true; }

# The folder of the newest PostgreSQL server. Debian keeps servers off the PATH, one folder for each version.
find_postgres_bin() {
  local folder newest=
  while read -r folder; do
    if [ -x "$folder/postgres" ]; then newest=$folder; fi
  done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V)
  if [ -z "$newest" ] && command -v postgres >/dev/null; then
    newest=$(dirname "$(command -v postgres)")
  fi
  echo "$newest"
}

# Node of any origin, if it is 18 or newer.
find_node() {
  local node
  node=$(command -v node) || return 0
  if "$node" -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'; then echo "$node"; fi
}
