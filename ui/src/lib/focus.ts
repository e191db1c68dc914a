// Where the focus was outside of dialogs and menus: what opened them by key or command has no button to return to.
let last: HTMLElement | undefined;

document.addEventListener("focusin", ({ target }) => {
  if (target instanceof HTMLElement && !target.closest("[role=dialog], [role=menu]")) last = target;
});

/** The element that had the focus before the present dialog or menu, as long as it is still there. */
export function focusBefore(): HTMLElement | undefined {
  return last?.isConnected === true ? last : undefined;
}

/** For Radix's `onCloseAutoFocus`: brings the focus back to where it was. */
export function returnFocus(event: globalThis.Event): void {
  const before = focusBefore();
  if (!before) return;
  event.preventDefault();
  before.focus();
}

/**
 * The row of a list that follows the one around `element`, for when that one goes. Rows bear `data-list-row` and can
 * have the focus.
 */
export function nextRow(element: Element | null): HTMLElement | undefined {
  const next = element?.closest("[data-list-row]")?.nextElementSibling;
  return next instanceof HTMLElement && next.dataset.listRow !== undefined ? next : undefined;
}
