"""Makes packages for installers: wheels, and one that has to be built first and waits for that.

A build waits until the named pipe that AICOCKPIT_TEST_GATE names is opened for writing. Before that it writes its
process's id and its parent's to the file that AICOCKPIT_TEST_BUILDS names.
"""

import base64
import hashlib
import io
import os
import pathlib
import sys
import tarfile
import zipfile

SERVER = '''
import http.server, os, socketserver, sys
from importlib import metadata

sys.argv.remove("serve")
path = sys.argv[sys.argv.index("--uds") + 1]
print("serving with vllm", metadata.version("vllm"), flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

Server(path, Handler).serve_forever()
'''
EXTRA = {
    "vllm/entrypoints/__init__.py": "",
    "vllm/entrypoints/cli/__init__.py": "",
    "vllm/entrypoints/cli/main.py": SERVER,
}


def make(folder, name, version, requires=(), files=()):
    """Writes a wheel; `files` are more paths in it."""
    inside = {f"{name}/__init__.py": "def main():\n    pass\n", **dict.fromkeys(files, "")}
    info = f"{name}-{version}.dist-info"
    if name == "vllm":
        inside |= EXTRA
        inside[f"{info}/entry_points.txt"] = "[console_scripts]\nvllm = vllm:main\n"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    inside[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    inside[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = ""
    for path, text in inside.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    inside[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    file = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / file, "w") as wheel:
        for path, text in inside.items():
            wheel.writestr(path, text)
    return file


def make_source(folder, version):
    """Writes a vllm that this file builds, slowly."""
    root = f"vllm-{version}"
    project = f'[build-system]\nrequires = []\nbuild-backend = "wheel_of_test"\nbackend-path = ["."]\n'
    project += f'[project]\nname = "vllm"\nversion = "{version}"\n'
    inside = {
        "pyproject.toml": project,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n",
        "version": version,
        "wheel_of_test.py": pathlib.Path(__file__).read_text(),
    }
    with tarfile.open(pathlib.Path(folder) / f"{root}.tar.gz", "w:gz") as archive:
        for path, text in inside.items():
            entry = tarfile.TarInfo(f"{root}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """What installers call."""
    with open(os.environ["AICOCKPIT_TEST_BUILDS"], "a") as builds:
        builds.write(f"{os.getpid()} {os.getppid()}\n")
    with open(os.environ["AICOCKPIT_TEST_GATE"]) as gate:
        gate.read()
    return make(wheel_directory, "vllm", pathlib.Path("version").read_text())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["source", folder, version]:
            make_source(folder, version)
        case ["wheel", folder, name, version, *more]:
            requires = [one.removeprefix("needs:") for one in more if one.startswith("needs:")]
            files = [one.removeprefix("file:") for one in more if one.startswith("file:")]
            make(folder, name, version, requires, files)
        case other:
            sys.exit(f"what is {other}?")
