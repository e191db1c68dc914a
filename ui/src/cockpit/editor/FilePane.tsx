import { type IDockviewPanelProps } from "dockview-react";
import { FileQuestion, FileWarning, FileX } from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState, useSyncExternalStore, type ReactNode } from "react";
import { toCallError, useCall } from "@/client";
import { Button, EmptyState, ErrorState, Loading, Skeleton } from "@/components";
import { formatBytes } from "@/lib/format";
import { type TextDocument } from "../model/document";
import { shown } from "../model/path";
import { useCockpit, useSession } from "../session/context";
import { useModel } from "../useModel";
import { downloadEntry } from "../explorer/download";
import { Breadcrumbs } from "./Breadcrumbs";
import { DocumentBars } from "./DocumentBars";
import { type PaneParams, type Reveal } from "./groups";
import { loadPool } from "./load";
import { type MonacoBuffer } from "./monaco";
import { type PooledEditor } from "./pool";

/** Whether a panel of the layout is the one of its group that is seen. */
export function useVisible(api: IDockviewPanelProps["api"]): boolean {
  return useSyncExternalStore(
    (notify) => {
      const subscription = api.onDidVisibilityChange(notify);
      return () => subscription.dispose();
    },
    () => api.isVisible,
  );
}

/** A file in a tab: opened when it is first seen. */
export function FilePane({ api, params }: IDockviewPanelProps<PaneParams>) {
  const session = useSession();
  const documents = useModel(session.documents);
  const visible = useVisible(api);
  const { path } = params;
  const document = documents.get(path);
  useEffect(() => {
    if (visible) session.documents.acquire(path);
  }, [session, path, visible]);
  if (!document) return <div className="h-full bg-code-bg" />;
  return <DocumentView key={path} document={document} panel={api.id} visible={visible} />;
}

function DocumentView({
  document,
  panel,
  visible,
}: {
  document: TextDocument;
  panel: string;
  visible: boolean;
}) {
  const session = useSession();
  useModel(document);
  const { content, path } = document;
  return (
    <div className="flex h-full min-h-0 flex-col bg-code-bg">
      <Breadcrumbs path={path} />
      <DocumentBars document={document} />
      <div className="relative min-h-0 flex-1">
        {content.kind === "text" && <CodeView document={document} panel={panel} visible={visible} />}
        {content.kind === "loading" && <LoadingFile share={content.share} />}
        {content.kind === "image" && <ImageView url={content.url} path={path} size={content.size} />}
        {content.kind === "binary" && (
          <Notice
            icon={<FileQuestion size={24} strokeWidth={1.5} />}
            title="This file is not text"
            path={path}
          >
            It has {formatBytes(content.size)} of binary content, which cannot be shown here.
          </Notice>
        )}
        {content.kind === "too_large" && (
          <Notice
            icon={<FileWarning size={24} strokeWidth={1.5} />}
            title="This file is too large"
            path={path}
          >
            It has {formatBytes(content.size)}; files up to 100 MB can be opened. Use a terminal, or download
            it.
          </Notice>
        )}
        {content.kind === "failed" &&
          (content.missing ? (
            <EmptyState
              icon={<FileX size={24} strokeWidth={1.5} />}
              title={`${shown(document.name)} does not exist`}
            >
              It was deleted or moved. Close this tab, or create the file again.
            </EmptyState>
          ) : (
            <div className="p-6">
              <ErrorState
                title={`${shown(document.name)} could not be opened`}
                error={toCallError(new Error(content.message))}
                onRetry={() => void session.documents.reopen(document)}
              />
            </div>
          ))}
      </div>
    </div>
  );
}

function LoadingFile({ share }: { share: number }) {
  return (
    <Loading>
      <div className="flex flex-col gap-2 p-4">
        {share > 0 && (
          <p className="text-sm text-muted tabular-nums" role="status">
            Reading the file… {Math.round(share * 100)} %
          </p>
        )}
        {[40, 65, 52, 70, 30].map((width, index) => (
          <div key={index} style={{ width: `${width}%` }}>
            <Skeleton className="h-3.5" />
          </div>
        ))}
      </div>
    </Loading>
  );
}

function Notice({
  icon,
  title,
  path,
  children,
}: {
  icon: ReactNode;
  title: string;
  path: string;
  children: ReactNode;
}) {
  const session = useSession();
  return (
    <EmptyState
      icon={icon}
      title={title}
      action={<Button onClick={() => void downloadEntry(session, path, false)}>Download</Button>}
    >
      {children}
    </EmptyState>
  );
}

function ImageView({ url, path, size }: { url: string; path: string; size: number }) {
  const [dimensions, setDimensions] = useState<string>();
  const [actual, setActual] = useState(false);
  return (
    <div className="flex h-full flex-col">
      <div className="flex min-h-0 flex-1 overflow-auto bg-surface p-6">
        <button
          type="button"
          className="m-auto"
          aria-label={actual ? "Fit the image into the window" : "Show the image in its own size"}
          onClick={() => setActual(!actual)}
        >
          <img
            src={url}
            alt={shown(path)}
            className={actual ? "max-w-none" : "max-h-full max-w-full object-contain"}
            style={{ imageRendering: "auto", maxHeight: actual ? undefined : "calc(100vh - 260px)" }}
            onLoad={(event) => {
              const { naturalWidth, naturalHeight } = event.currentTarget;
              setDimensions(`${naturalWidth} × ${naturalHeight}`);
            }}
          />
        </button>
      </div>
      <p className="border-t border-line px-3 py-1 text-sm text-faint tabular-nums">
        {dimensions !== undefined && `${dimensions} · `}
        {formatBytes(size)}
      </p>
    </div>
  );
}

/** Cursor and scroll position are kept this long after they came to rest. */
const VIEW_NOTED_MS = 300;

interface Pool {
  takeEditor: (place: HTMLElement) => PooledEditor;
  returnEditor: (pooled: PooledEditor) => void;
}

function CodeView({ document, panel, visible }: { document: TextDocument; panel: string; visible: boolean }) {
  const { session, active } = useCockpit();
  const settings = useCall("settings.get", {}).data;
  const place = useRef<HTMLDivElement>(null);
  const pooled = useRef<PooledEditor | undefined>(undefined);
  const groups = useModel(session.groups);

  const options = () => ({
    fontSize: settings?.editor_font_size ?? 13,
    wordWrap: settings?.word_wrap === true ? ("on" as const) : ("off" as const),
    minimap: { enabled: settings?.minimap === true, renderCharacters: false },
    readOnly: document.readOnly !== undefined,
    readOnlyMessage: { value: "This file is shown read-only; the line above the text says why." },
    ariaLabel: shown(document.name),
  });

  const reveal = (target: Reveal) => {
    const { editor } = pooled.current ?? {};
    if (!editor) return;
    const { line, column, endColumn } = target;
    editor.setSelection({
      startLineNumber: line,
      startColumn: column,
      endLineNumber: line,
      endColumn: endColumn ?? column,
    });
    editor.revealLineInCenterIfOutsideViewport(line);
  };

  /** Goes where this tab was opened to, and takes the focus if it is wanted here. */
  const attend = useEffectEvent(() => {
    if (!pooled.current) return;
    const target = session.groups.takeReveal(panel);
    if (target) reveal(target);
    if (session.groups.takeFocus(panel)) pooled.current.editor.focus();
  });

  const take = useEffectEvent((pool: Pool, element: HTMLElement) => {
    const taken = pool.takeEditor(element);
    pooled.current = taken;
    const { editor } = taken;
    editor.updateOptions(options());
    editor.setModel((document.buffer as MonacoBuffer).model);
    const view = session.layout.value.views[document.path];
    if (view) editor.restoreViewState(view as Parameters<typeof editor.restoreViewState>[0]);
    const noteView = () => session.layout.noteView(document.path, editor.saveViewState());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const moved = () => {
      clearTimeout(timer);
      timer = setTimeout(noteView, VIEW_NOTED_MS);
    };
    const scroll = editor.onDidScrollChange(moved);
    const cursor = editor.onDidChangeCursorSelection(() => {
      session.cursor.follow(editor);
      moved();
    });
    const focus = editor.onDidFocusEditorWidget(() => session.cursor.follow(editor));
    session.cursor.follow(editor);
    attend();
    return () => {
      clearTimeout(timer);
      scroll.dispose();
      cursor.dispose();
      focus.dispose();
      pooled.current = undefined;
      noteView();
      session.cursor.leave(editor);
      pool.returnEditor(taken);
    };
  });

  useEffect(() => {
    const element = place.current;
    if (!visible || !element) return;
    let release: (() => void) | undefined;
    let gone = false;
    void loadPool().then((pool) => {
      if (!gone) release = take(pool, element);
    });
    return () => {
      gone = true;
      release?.();
    };
  }, [visible, document]);

  const version = groups.version();
  useEffect(() => {
    if (active) attend();
  }, [version, active]);

  const shownOptions = JSON.stringify(options());
  useEffect(() => {
    pooled.current?.editor.updateOptions(JSON.parse(shownOptions) as object);
  }, [shownOptions]);

  return <div ref={place} className="absolute inset-0" />;
}
