// Which languages the editor knows: Monaco's own brackets, comments and indentation where it has them, and the
// TextMate grammar that colours them. Each grammar is a chunk of its own that loads with the first such file.
import "monaco-editor/languages/definitions/bat/register.js";
import "monaco-editor/languages/definitions/clojure/register.js";
import "monaco-editor/languages/definitions/cpp/register.js";
import "monaco-editor/languages/definitions/csharp/register.js";
import "monaco-editor/languages/definitions/css/register.js";
import "monaco-editor/languages/definitions/dart/register.js";
import "monaco-editor/languages/definitions/dockerfile/register.js";
import "monaco-editor/languages/definitions/elixir/register.js";
import "monaco-editor/languages/definitions/fsharp/register.js";
import "monaco-editor/languages/definitions/go/register.js";
import "monaco-editor/languages/definitions/graphql/register.js";
import "monaco-editor/languages/definitions/handlebars/register.js";
import "monaco-editor/languages/definitions/hcl/register.js";
import "monaco-editor/languages/definitions/html/register.js";
import "monaco-editor/languages/definitions/ini/register.js";
import "monaco-editor/languages/definitions/java/register.js";
import "monaco-editor/languages/definitions/javascript/register.js";
import "monaco-editor/languages/definitions/julia/register.js";
import "monaco-editor/languages/definitions/kotlin/register.js";
import "monaco-editor/languages/definitions/less/register.js";
import "monaco-editor/languages/definitions/lua/register.js";
import "monaco-editor/languages/definitions/markdown/register.js";
import "monaco-editor/languages/definitions/mdx/register.js";
import "monaco-editor/languages/definitions/objective-c/register.js";
import "monaco-editor/languages/definitions/perl/register.js";
import "monaco-editor/languages/definitions/php/register.js";
import "monaco-editor/languages/definitions/powershell/register.js";
import "monaco-editor/languages/definitions/protobuf/register.js";
import "monaco-editor/languages/definitions/python/register.js";
import "monaco-editor/languages/definitions/r/register.js";
import "monaco-editor/languages/definitions/ruby/register.js";
import "monaco-editor/languages/definitions/rust/register.js";
import "monaco-editor/languages/definitions/scala/register.js";
import "monaco-editor/languages/definitions/scss/register.js";
import "monaco-editor/languages/definitions/shell/register.js";
import "monaco-editor/languages/definitions/solidity/register.js";
import "monaco-editor/languages/definitions/sql/register.js";
import "monaco-editor/languages/definitions/swift/register.js";
import "monaco-editor/languages/definitions/typescript/register.js";
import "monaco-editor/languages/definitions/vb/register.js";
import "monaco-editor/languages/definitions/wgsl/register.js";
import "monaco-editor/languages/definitions/xml/register.js";
import "monaco-editor/languages/definitions/yaml/register.js";
import type * as Monaco from "monaco-editor/editor/editor.api.js";
import { type LanguageRegistration } from "@shikijs/types";

type GrammarModule = Promise<{ default: LanguageRegistration[] }>;

/** Grammars by Monaco's language id. */
export const GRAMMARS: Readonly<Record<string, () => GrammarModule>> = {
  bat: () => import("@shikijs/langs/bat"),
  c: () => import("@shikijs/langs/c"),
  clojure: () => import("@shikijs/langs/clojure"),
  cmake: () => import("@shikijs/langs/cmake"),
  cpp: () => import("@shikijs/langs/cpp"),
  csharp: () => import("@shikijs/langs/csharp"),
  css: () => import("@shikijs/langs/css"),
  dart: () => import("@shikijs/langs/dart"),
  diff: () => import("@shikijs/langs/diff"),
  dockerfile: () => import("@shikijs/langs/docker"),
  dotenv: () => import("@shikijs/langs/dotenv"),
  elixir: () => import("@shikijs/langs/elixir"),
  erlang: () => import("@shikijs/langs/erlang"),
  fish: () => import("@shikijs/langs/fish"),
  fsharp: () => import("@shikijs/langs/fsharp"),
  go: () => import("@shikijs/langs/go"),
  graphql: () => import("@shikijs/langs/graphql"),
  groovy: () => import("@shikijs/langs/groovy"),
  handlebars: () => import("@shikijs/langs/handlebars"),
  haskell: () => import("@shikijs/langs/haskell"),
  hcl: () => import("@shikijs/langs/hcl"),
  html: () => import("@shikijs/langs/html"),
  ini: () => import("@shikijs/langs/ini"),
  java: () => import("@shikijs/langs/java"),
  javascript: () => import("@shikijs/langs/jsx"),
  json: () => import("@shikijs/langs/jsonc"),
  julia: () => import("@shikijs/langs/julia"),
  just: () => import("@shikijs/langs/just"),
  kotlin: () => import("@shikijs/langs/kotlin"),
  latex: () => import("@shikijs/langs/latex"),
  less: () => import("@shikijs/langs/less"),
  log: () => import("@shikijs/langs/log"),
  lua: () => import("@shikijs/langs/lua"),
  makefile: () => import("@shikijs/langs/makefile"),
  markdown: () => import("@shikijs/langs/markdown"),
  mdx: () => import("@shikijs/langs/mdx"),
  nginx: () => import("@shikijs/langs/nginx"),
  nix: () => import("@shikijs/langs/nix"),
  "objective-c": () => import("@shikijs/langs/objective-c"),
  ocaml: () => import("@shikijs/langs/ocaml"),
  perl: () => import("@shikijs/langs/perl"),
  php: () => import("@shikijs/langs/php"),
  powershell: () => import("@shikijs/langs/powershell"),
  proto: () => import("@shikijs/langs/proto"),
  python: () => import("@shikijs/langs/python"),
  r: () => import("@shikijs/langs/r"),
  ruby: () => import("@shikijs/langs/ruby"),
  rust: () => import("@shikijs/langs/rust"),
  scala: () => import("@shikijs/langs/scala"),
  scss: () => import("@shikijs/langs/scss"),
  shell: () => import("@shikijs/langs/shellscript"),
  sol: () => import("@shikijs/langs/solidity"),
  sql: () => import("@shikijs/langs/sql"),
  svelte: () => import("@shikijs/langs/svelte"),
  swift: () => import("@shikijs/langs/swift"),
  systemd: () => import("@shikijs/langs/systemd"),
  toml: () => import("@shikijs/langs/toml"),
  typescript: () => import("@shikijs/langs/tsx"),
  vb: () => import("@shikijs/langs/vb"),
  viml: () => import("@shikijs/langs/viml"),
  vue: () => import("@shikijs/langs/vue"),
  wgsl: () => import("@shikijs/langs/wgsl"),
  xml: () => import("@shikijs/langs/xml"),
  yaml: () => import("@shikijs/langs/yaml"),
  zig: () => import("@shikijs/langs/zig"),
};

interface OwnLanguage extends Monaco.languages.ILanguageExtensionPoint {
  line?: string;
  block?: [string, string];
}

/** Languages that Monaco does not bring, or finds too few files of. */
const OWN: OwnLanguage[] = [
  { id: "cmake", aliases: ["CMake"], extensions: [".cmake"], filenames: ["CMakeLists.txt"], line: "#" },
  { id: "diff", aliases: ["Diff"], extensions: [".diff", ".patch"] },
  { id: "dotenv", aliases: ["Environment"], filenames: [".env"], extensions: [".env"], line: "#" },
  { id: "erlang", aliases: ["Erlang"], extensions: [".erl", ".hrl"], line: "%" },
  { id: "fish", aliases: ["fish"], extensions: [".fish"], line: "#" },
  {
    id: "groovy",
    aliases: ["Groovy"],
    extensions: [".groovy", ".gradle"],
    filenames: ["Jenkinsfile"],
    line: "//",
    block: ["/*", "*/"],
  },
  { id: "haskell", aliases: ["Haskell"], extensions: [".hs"], line: "--", block: ["{-", "-}"] },
  {
    id: "json",
    aliases: ["JSON"],
    extensions: [
      ".json",
      ".jsonc",
      ".json5",
      ".webmanifest",
      ".code-workspace",
      ".map",
      ".har",
      ".jsonl",
      ".ndjson",
    ],
    filenames: ["composer.lock", ".babelrc", ".eslintrc", ".prettierrc", ".swcrc", "flake.lock"],
    line: "//",
    block: ["/*", "*/"],
  },
  { id: "just", aliases: ["Just"], extensions: [".just"], filenames: ["justfile", "Justfile"], line: "#" },
  { id: "latex", aliases: ["LaTeX"], extensions: [".tex", ".sty", ".cls"], line: "%" },
  { id: "log", aliases: ["Log"], extensions: [".log"] },
  {
    id: "makefile",
    aliases: ["Makefile"],
    extensions: [".mk", ".mak"],
    filenames: ["Makefile", "makefile", "GNUmakefile"],
    line: "#",
  },
  { id: "nginx", aliases: ["nginx"], filenames: ["nginx.conf"], line: "#" },
  { id: "nix", aliases: ["Nix"], extensions: [".nix"], line: "#", block: ["/*", "*/"] },
  { id: "ocaml", aliases: ["OCaml"], extensions: [".ml", ".mli"], block: ["(*", "*)"] },
  { id: "svelte", aliases: ["Svelte"], extensions: [".svelte"], block: ["<!--", "-->"] },
  {
    id: "systemd",
    aliases: ["systemd unit"],
    extensions: [".service", ".socket", ".timer", ".mount", ".target"],
    line: "#",
  },
  {
    id: "toml",
    aliases: ["TOML"],
    extensions: [".toml"],
    filenames: ["Cargo.lock", "poetry.lock", "uv.lock", "Pipfile"],
    line: "#",
  },
  { id: "viml", aliases: ["Vim script"], extensions: [".vim"], filenames: [".vimrc"], line: '"' },
  { id: "vue", aliases: ["Vue"], extensions: [".vue"], block: ["<!--", "-->"] },
  { id: "zig", aliases: ["Zig"], extensions: [".zig", ".zon"], line: "//" },
  // More files of languages that Monaco brings.
  { id: "dockerfile", filenames: ["Containerfile"] },
  {
    id: "ini",
    extensions: [".editorconfig", ".conf", ".cfg", ".properties"],
    filenames: [".gitconfig", ".gitmodules", ".npmrc"],
  },
  {
    id: "shell",
    extensions: [".zsh", ".ksh"],
    filenames: [".bashrc", ".zshrc", ".profile", ".bash_profile", ".bash_aliases", "PKGBUILD"],
  },
  { id: "hcl", extensions: [".tf", ".tfvars", ".hcl"] },
  { id: "xml", extensions: [".svg", ".plist", ".xsl"] },
  { id: "ruby", filenames: ["Gemfile", "Vagrantfile", "Brewfile"] },
  { id: "python", extensions: [".pyi"], filenames: ["SConstruct", "wscript"] },
  { id: "typescript", extensions: [".mts", ".cts"] },
  { id: "javascript", extensions: [".mjs", ".cjs"] },
  { id: "yaml", filenames: [".clang-format", "CITATION.cff"] },
];

export function registerLanguages(monaco: typeof Monaco): void {
  const known = new Set(monaco.languages.getLanguages().map((language) => language.id));
  for (const { line, block, ...language } of OWN) {
    monaco.languages.register(language);
    if (known.has(language.id)) continue;
    monaco.languages.setLanguageConfiguration(language.id, {
      comments: { ...(line ? { lineComment: line } : {}), ...(block ? { blockComment: block } : {}) },
      brackets: [
        ["{", "}"],
        ["[", "]"],
        ["(", ")"],
      ],
      autoClosingPairs: [
        { open: "{", close: "}" },
        { open: "[", close: "]" },
        { open: "(", close: ")" },
        { open: '"', close: '"', notIn: ["string", "comment"] },
      ],
    });
  }
  for (const id of Object.keys(GRAMMARS)) {
    // Registered after Monaco's own tokenizer, so this one is asked instead.
    monaco.languages.registerTokensProviderFactory(id, {
      create: async () => (await import("./highlighting")).grammarTokens(monaco, id),
    });
  }
}
