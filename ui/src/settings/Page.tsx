import { type ReactNode } from "react";

/** A page of the settings: a title and groups below it. */
export function Page({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-160 flex-col gap-6 px-4 py-6">
      <h1 className="text-xl font-semibold">{title}</h1>
      {children}
    </div>
  );
}

export function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-2">
      <h2 className="font-semibold text-muted">{title}</h2>
      <div className="flex flex-col divide-y divide-line rounded-md border border-line">{children}</div>
    </section>
  );
}

/** One setting: what it is on the left, its control on the right. */
export function Row({ children }: { children: ReactNode }) {
  return <div className="px-3 py-2.5">{children}</div>;
}
