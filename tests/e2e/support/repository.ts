import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const git = (folder: string, ...args: string[]) =>
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
    cwd: folder,
    stdio: "pipe",
  });

/**
 * A Git repository of realistic size: 30 modules of 20 C files with headers, a Makefile that builds a program, a page
 * for a small web server, and twenty commits.
 */
export function makeRepository(): string {
  const root = mkdtempSync(join(tmpdir(), "aicockpit-repo-"));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  git(root, "init", "--quiet", "--initial-branch=main");
  write(
    "README.md",
    "# Weather station\n\nReads sensors and serves a page.\n\n| Part | Folder |\n|---|---|\n| sensors | `src/` |\n\n```sh\nmake && ./station\n```\n",
  );
  write(".gitignore", "*.o\nstation\n");
  write("site/index.html", "<!doctype html><title>Station</title><h1>Weather station page</h1>\n");
  write("Makefile", "station: src/main.c\n\t$(CC) -O1 -o $@ $<\n\techo built $@\n");
  write(
    "src/main.c",
    '#include <stdio.h>\n\n/* Prints one reading. */\nint main(void) {\n    printf("reading: %d\\n", 21);\n    return 0;\n}\n',
  );
  git(root, "add", "--all");
  git(root, "commit", "--quiet", "--message", "Start the station");

  for (let module = 0; module < 30; module += 1) {
    const name = `module${String(module).padStart(2, "0")}`;
    for (let file = 0; file < 20; file += 1) {
      const lines = Array.from(
        { length: 60 },
        (_, line) => `static int ${name}_value_${file}_${line}(int input) { return input * ${line + file}; }`,
      );
      if (module === 17 && file === 3) lines.push("/* calibration constant of the barometer */");
      write(`src/${name}/part${file}.c`, `#include "part${file}.h"\n\n${lines.join("\n")}\n`);
      write(`src/${name}/part${file}.h`, `#pragma once\n\nint ${name}_part_${file}(int input);\n`);
    }
    if (module % 2 === 0) {
      git(root, "add", "--all");
      git(root, "commit", "--quiet", "--message", `Add modules up to ${name}`);
    }
  }
  git(root, "add", "--all");
  git(root, "commit", "--quiet", "--message", "Add the last module");
  return root;
}
