# Sourced by tools/fetch_libtorch, tools/fetch_newest_libtorch and tools/fetch_cuda, which set `deps` (the folder that things are unpacked into) and `pins` (lines "SHA256  WHEEL").
# pip is only the downloader. A wheel that already lies in $deps/dl is taken from there.

# pip takes a platform by its exact name only.
platforms=(manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux_2_25_x86_64 manylinux_2_18_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64
  manylinux_2_12_x86_64 manylinux2010_x86_64 manylinux_2_5_x86_64 manylinux1_x86_64 any)

wheel() { grep -o "  $1-.*" <<<"$pins" | cut -c3-; }  # wheel DISTRIBUTION (as in the file's name): the file's name

fetch() {  # fetch DISTRIBUTION: download with retries until the pinned checksum holds
  local file pin name spec try
  file=$(wheel "$1")
  pin=$(grep -F "  $file" <<<"$pins")
  IFS=- read -r name spec _ <<<"$file"
  spec=${name//_/-}==$spec
  mkdir -p "$deps/dl"
  for try in 1 2 3; do
    if [ -f "$deps/dl/$file" ] && (cd "$deps/dl" && sha256sum --quiet --check <<<"$pin" 2>/dev/null); then return 0; fi
    rm -f "$deps/dl/$file"
    echo "fetching $spec (try $try)" >&2
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$deps/dl" \
      --python-version 311 --implementation cp --abi cp311 --abi none "${platforms[@]/#/--platform=}" "$spec" >&2 || sleep $((try * 3))
  done
  if (cd "$deps/dl" && sha256sum --quiet --check <<<"$pin"); then return 0; fi
  echo "error: could not fetch $spec: expected $file with sha256 ${pin%% *}. Check the network and run again," >&2
  echo "       or put that wheel into $deps/dl yourself." >&2
  return 1
}

can_fetch() {  # says what is missing before anything is downloaded
  python3 -m pip --version > /dev/null 2>&1 || { echo "error: fetching needs a python3 with pip: apt-get install python3-pip" >&2; return 4; }
  mkdir -p "$deps" 2>/dev/null && [ -w "$deps" ] || { echo "error: cannot write to $deps: run this as root, or set NEARFAR_DEPS to a folder of yours (here and for nearfar)" >&2; return 4; }
}

unpack() {  # unpack DISTRIBUTION MEMBER…; a bare system has no unzip, but where pip is, there is Python
  local file; file=$deps/dl/$(wheel "$1"); shift
  if command -v unzip > /dev/null; then unzip -q -o "$file" "$@" -d "$deps"; return; fi
  python3 - "$file" "$deps" "$@" <<'PY'
import fnmatch, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if any(fnmatch.fnmatchcase(name, member) for member in sys.argv[3:])])
PY
}

stamped() { [ "$(cat "$deps/$1" 2>/dev/null || true)" = "$pins" ]; }  # stamped FILE: these pins were unpacked already
stamp() { printf '%s' "$pins" > "$deps/$1.tmp" && mv "$deps/$1.tmp" "$deps/$1"; }
