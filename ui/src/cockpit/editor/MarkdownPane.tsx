import { type IDockviewPanelProps } from "dockview-react";
import DOMPurify from "dompurify";
import { Marked } from "marked";
import { useEffect, useRef, useState } from "react";
import { dirname, resolve } from "../model/path";
import { useSession } from "../session/context";
import { useModel } from "../useModel";
import { useVisible } from "./FilePane";
import { type PaneParams } from "./groups";

const MAX_TEXT = 2_000_000;
const RENDER_DELAY_MS = 120;

const marked = new Marked({ gfm: true, async: false });

/** The page's HTML, with nothing in it that runs or reaches out: no scripts, frames, forms, or images from elsewhere. */
function render(text: string): DocumentFragment {
  const html = marked.parse(text.slice(0, MAX_TEXT)) as string;
  return DOMPurify.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    FORBID_TAGS: [
      "style",
      "form",
      "iframe",
      "object",
      "embed",
      "video",
      "audio",
      "source",
      "base",
      "link",
      "meta",
      "svg",
      "math",
    ],
    FORBID_ATTR: ["style", "srcset", "id", "name", "class", "target"],
    ALLOW_DATA_ATTR: false,
  });
}

/** A Markdown file as a page, following the text as it is typed. */
export function MarkdownPane({ api, params }: IDockviewPanelProps<PaneParams>) {
  const session = useSession();
  const documents = useModel(session.documents);
  const visible = useVisible(api);
  const page = useRef<HTMLElement>(null);
  const [revision, setRevision] = useState(0);
  const { path } = params;
  useEffect(() => {
    if (visible) session.documents.acquire(path);
  }, [session, path, visible]);
  const document = documents.get(path);
  const buffer = document?.buffer;

  useEffect(() => {
    if (!visible || !buffer) return;
    const timer = setInterval(() => setRevision(buffer.revision()), RENDER_DELAY_MS);
    return () => clearInterval(timer);
  }, [visible, buffer]);

  useEffect(() => {
    const element = page.current;
    if (!visible || !buffer || !element) return;
    const urls: string[] = [];
    let gone = false;
    const fragment = render(buffer.getText());
    for (const image of fragment.querySelectorAll("img")) {
      const source = image.getAttribute("src") ?? "";
      image.removeAttribute("src");
      if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(source)) {
        // An image from elsewhere would tell its server that this file was read.
        const note = element.ownerDocument.createElement("span");
        note.className = "blocked-image";
        note.textContent = `Image not loaded: ${source}`;
        image.replaceWith(note);
        continue;
      }
      void session.host.read(resolve(dirname(path), decodeURIComponent(source))).then(
        ({ bytes }) => {
          if (gone) return;
          const type = /\.svg$/i.test(source) ? "image/svg+xml" : "";
          const url = URL.createObjectURL(new Blob([bytes], { type }));
          urls.push(url);
          image.src = url;
        },
        () => {
          image.alt = `${image.alt} (${source} could not be read)`;
        },
      );
    }
    for (const box of fragment.querySelectorAll("input"))
      box.setAttribute("aria-label", box.hasAttribute("checked") ? "done" : "to do");
    element.replaceChildren(fragment);
    return () => {
      gone = true;
      for (const url of urls) URL.revokeObjectURL(url);
    };
  }, [visible, buffer, revision, path, session]);

  const onClick = (event: React.MouseEvent) => {
    const link = (event.target as Element).closest("a");
    const href = link?.getAttribute("href");
    if (!link || href == null) return;
    event.preventDefault();
    if (/^https?:/i.test(href)) window.open(href, "_blank", "noopener,noreferrer");
    else if (!/^[a-z][a-z0-9+.-]*:|^#/i.test(href)) {
      session.groups.open(resolve(dirname(path), decodeURIComponent(href.replace(/#.*$/, ""))), {
        keep: true,
      });
    }
  };

  return (
    <div className="h-full overflow-auto bg-canvas" tabIndex={0} role="region" aria-label="Markdown preview">
      {/* The links inside are buttons and links of their own; this only decides where they lead. */}
      {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events */}
      <article ref={page} onClick={onClick} className="markdown mx-auto max-w-200 px-8 py-6 select-text" />
    </div>
  );
}
