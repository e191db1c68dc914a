import { type ReactNode } from "react";
import { cx } from "@/lib/cx";

/** For settings, for lists with much in a row, and for tables and charts. */
const WIDTHS = { text: "max-w-160", list: "max-w-184", table: "max-w-240" };

/** A page of the settings: a title and groups below it. */
export function Page({
  title,
  width = "text",
  children,
}: {
  title: string;
  width?: keyof typeof WIDTHS;
  children: ReactNode;
}) {
  return (
    <div className={cx("mx-auto flex flex-col gap-6 px-4 py-6", WIDTHS[width])}>
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
