/** A piece of text, or a character that would not be seen, by its name. */
export type Piece = { text: string } | { hidden: string };

// Controls but tab and line feed, marks of direction, joiners, separators of lines, fillers, tags: what could make
// text look otherwise than it is.
const HIDDEN = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Text in pieces, so that no character stays unseen. */
export function visible(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const [character] = match;
    if (isPartOfPicture(text, match.index)) continue;
    // A line's end as Windows writes it is no trick.
    if (character === "\r" && text[match.index + 1] === "\n") {
      if (match.index > from) pieces.push({ text: text.slice(from, match.index) });
      from = match.index + 1;
      continue;
    }
    if (match.index > from) pieces.push({ text: text.slice(from, match.index) });
    const code = character.codePointAt(0) ?? 0;
    pieces.push({ hidden: `U+${code.toString(16).toUpperCase().padStart(4, "0")}` });
    from = match.index + character.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** Emoji are made of several characters, of which some have no picture of their own. */
function isPartOfPicture(text: string, at: number): boolean {
  const before = /\p{Extended_Pictographic}\p{Emoji_Modifier}?\ufe0f?$/u.test(
    text.slice(Math.max(0, at - 6), at),
  );
  if (text[at] === "\ufe0f") return before;
  return text[at] === "\u200d" && before && /^\p{Extended_Pictographic}/u.test(text.slice(at + 1, at + 3));
}
