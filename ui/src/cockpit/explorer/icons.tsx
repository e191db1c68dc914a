import {
  Container,
  File,
  FileArchive,
  FileBraces,
  FileCode,
  FileCog,
  FileImage,
  FileLock,
  FileMusic,
  FileSpreadsheet,
  FileTerminal,
  FileText,
  FileType,
  FileVideoCamera,
  Folder,
  FolderOpen,
  GitBranch,
  Database,
  Package,
  type LucideIcon,
} from "lucide-react";
import { basename, extension } from "../model/path";

type Look = readonly [icon: LucideIcon, colour: string];

const BLUE = "var(--code-function)";
const GREEN = "var(--code-string)";
const ORANGE = "var(--code-number)";
const PURPLE = "var(--code-keyword)";
const TEAL = "var(--code-type)";
const GREY = "var(--faint)";

const CODE: Record<string, string> = {
  rs: ORANGE,
  go: TEAL,
  py: BLUE,
  pyi: BLUE,
  ts: BLUE,
  tsx: TEAL,
  mts: BLUE,
  cts: BLUE,
  js: ORANGE,
  jsx: TEAL,
  mjs: ORANGE,
  cjs: ORANGE,
  c: BLUE,
  h: PURPLE,
  cpp: BLUE,
  cc: BLUE,
  hpp: PURPLE,
  cs: GREEN,
  java: ORANGE,
  kt: PURPLE,
  swift: ORANGE,
  rb: "var(--failed)",
  php: PURPLE,
  lua: BLUE,
  zig: ORANGE,
  hs: PURPLE,
  ex: PURPLE,
  exs: PURPLE,
  erl: "var(--failed)",
  scala: "var(--failed)",
  clj: GREEN,
  dart: TEAL,
  r: BLUE,
  jl: PURPLE,
  html: ORANGE,
  vue: GREEN,
  svelte: ORANGE,
  css: BLUE,
  scss: PURPLE,
  less: BLUE,
  xml: ORANGE,
  graphql: PURPLE,
  proto: TEAL,
  tf: PURPLE,
  nix: TEAL,
};

const BY_EXTENSION: Record<string, Look> = {
  ...Object.fromEntries(Object.entries(CODE).map(([name, colour]) => [name, [FileCode, colour] as const])),
};

function add(names: string, icon: LucideIcon, colour: string): void {
  for (const name of names.split(" ")) BY_EXTENSION[name] = [icon, colour];
}
add("json jsonc json5 jsonl ndjson map", FileBraces, ORANGE);
add("yaml yml toml ini cfg conf properties editorconfig service", FileCog, PURPLE);
add("md mdx markdown rst txt log adoc tex", FileText, GREY);
add("png jpg jpeg gif webp avif bmp ico svg tiff", FileImage, GREEN);
add("sh bash zsh fish ps1 bat", FileTerminal, GREEN);
add("zip tar gz tgz xz zst bz2 7z rar jar whl deb rpm", FileArchive, GREY);
add("mp3 ogg wav flac m4a", FileMusic, PURPLE);
add("mp4 webm mov mkv avi", FileVideoCamera, PURPLE);
add("csv tsv xls xlsx ods parquet", FileSpreadsheet, GREEN);
add("sql sqlite db", Database, TEAL);
add("ttf otf woff woff2", FileType, GREY);
add("pem key crt cer pub asc gpg env", FileLock, ORANGE);
add("lock", FileLock, GREY);

const BY_NAME: Record<string, Look> = {
  dockerfile: [Container, BLUE],
  containerfile: [Container, BLUE],
  "docker-compose.yml": [Container, BLUE],
  "compose.yaml": [Container, BLUE],
  makefile: [FileTerminal, ORANGE],
  justfile: [FileTerminal, ORANGE],
  "cargo.toml": [Package, ORANGE],
  "package.json": [Package, GREEN],
  "go.mod": [Package, TEAL],
  "pyproject.toml": [Package, BLUE],
  ".gitignore": [GitBranch, GREY],
  ".gitattributes": [GitBranch, GREY],
  ".gitmodules": [GitBranch, GREY],
  ".env": [FileLock, ORANGE],
  license: [FileText, GREY],
};

export function FileIcon({ path, size = 16 }: { path: string; size?: number }) {
  const [Icon, colour] = BY_NAME[basename(path).toLowerCase()] ??
    BY_EXTENSION[extension(path)] ?? [File, GREY];
  return <Icon size={size} strokeWidth={1.75} style={{ color: colour }} className="shrink-0" aria-hidden />;
}

export function FolderIcon({ open }: { open: boolean }) {
  const Icon = open ? FolderOpen : Folder;
  return <Icon size={16} strokeWidth={1.75} className="shrink-0 text-muted" aria-hidden />;
}
