# Serves what package tools ask for over TLS, by a certificate of the authority in /authority for this container's
# own address.
import hashlib, http.server, io, json, os, socket, ssl, subprocess, tarfile, zipfile

def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)

def write(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    open(path, "wb").write(content if isinstance(content, bytes) else content.encode())

address = socket.gethostbyname(socket.gethostname())
os.makedirs("/tmp/site", exist_ok=True)
os.chdir("/tmp")
write("/tmp/extensions", f"subjectAltName=IP:{address}\n")
run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=probe")
run("openssl", "x509", "-req", "-in", "request.pem", "-CA", "/authority/ca.crt", "-CAkey", "/authority/ca.key",
    "-CAcreateserial", "-CAserial", "/tmp/serial", "-days", "2", "-extfile", "extensions", "-out", "certificate.pem")
os.chdir("/tmp/site")
write("hello", "hello over tls\n")
# Git
write("/tmp/work/README", "x")
run("git", "init", "-q", "-b", "main", "/tmp/work")
run("git", "-C", "/tmp/work", "add", ".")
run("git", "-C", "/tmp/work", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x")
run("git", "clone", "-q", "--bare", "/tmp/work", "repository.git")
run("git", "-C", "repository.git", "update-server-info")
# pip
wheel = io.BytesIO()
with zipfile.ZipFile(wheel, "w") as archive:
    archive.writestr("probe_package.py", "")
    archive.writestr("probe_package-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: probe-package\nVersion: 1.0\n")
    archive.writestr("probe_package-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    archive.writestr("probe_package-1.0.dist-info/RECORD", "")
write("simple/probe-package/probe_package-1.0-py3-none-any.whl", wheel.getvalue())
write("simple/probe-package/index.html", '<a href="probe_package-1.0-py3-none-any.whl">probe_package-1.0-py3-none-any.whl</a>')
# npm
version = {"name": "probe", "version": "1.0.0", "dist": {"tarball": f"https://{address}:8443/npm/none.tgz"}}
write("npm/probe", json.dumps({"name": "probe", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}))
# Cargo
crate = io.BytesIO()
with tarfile.open(fileobj=crate, mode="w:gz") as archive:
    for path, text in [("Cargo.toml", '[package]\nname = "probe"\nversion = "1.0.0"\n'), ("src/lib.rs", "")]:
        entry = tarfile.TarInfo(f"probe-1.0.0/{path}")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
write("crates/probe/1.0.0/download", crate.getvalue())
line = {"name": "probe", "vers": "1.0.0", "deps": [], "cksum": hashlib.sha256(crate.getvalue()).hexdigest(),
        "features": {}, "yanked": False}
write("index-entry", json.dumps(line) + "\n")
# apt
write("apt/Packages", "")

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/certificate.pem", "/tmp/key.pem")
server = http.server.ThreadingHTTPServer(("", 8443), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"ready at {address}", flush=True)
server.serve_forever()
