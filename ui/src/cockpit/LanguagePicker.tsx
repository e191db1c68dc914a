import { useEffect, useState } from "react";
import { Picker } from "@/components";
import { fuzzyFilter } from "@/lib/fuzzy";
import { loadMonaco } from "./editor/load";
import { languageName } from "./editor/names";
import { useSession } from "./session/context";
import { useModel } from "./useModel";

/** Chooses the language of the text in front. */
export function LanguagePicker() {
  const session = useSession();
  const open = useModel(session.overlays).shown === "language";
  const [query, setQuery] = useState("");
  const [ids, setIds] = useState<string[]>([]);
  useEffect(() => {
    if (!open) return;
    void loadMonaco().then(({ monaco }) => {
      const all = monaco.languages.getLanguages().map((language) => language.id);
      setIds([...new Set(all)].sort((a, b) => languageName(a).localeCompare(languageName(b))));
    });
  }, [open]);
  const close = () => {
    setQuery("");
    session.overlays.show(undefined);
  };
  return (
    <Picker
      open={open}
      onClose={close}
      label="Choose a language"
      placeholder="Language of this file"
      query={query}
      onQuery={setQuery}
      items={fuzzyFilter(ids, query, languageName)}
      itemKey={(id) => id}
      renderItem={(id) => <span>{languageName(id)}</span>}
      onPick={(id) => {
        const { editor } = session.cursor;
        const model = editor?.getModel();
        close();
        if (!editor || !model) return;
        void loadMonaco().then(({ monaco }) => {
          monaco.editor.setModelLanguage(model, id);
          session.cursor.follow(editor);
        });
      }}
      empty="No language has such a name."
    />
  );
}
