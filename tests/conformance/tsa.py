#!/usr/bin/python3
"""A time-stamping authority for tests: openssl ts -reply behind HTTP.

Works in the folder it is started in, which holds tsa.cnf, its keys and its serial file; prints its port.
Requests are answered one after the other: openssl does not lock the serial file.
"""
import http.server
import subprocess
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        with open("q.tsq", "wb") as query:
            query.write(self.rfile.read(length))
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq", "-out", "r.tsr"]
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
            self.send_error(500)
            return
        with open("r.tsr", "rb") as reply:
            body = reply.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
sys.stdout.close()
server.serve_forever()
