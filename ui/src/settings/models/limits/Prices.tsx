import { ArrowUp, Pencil, Plus, Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import { Button, ErrorState, IconButton, toast, toastError } from "@/components";
import { formatMoney } from "@/lib/format";
import { type Price, type Settings } from "@/protocol/generated";
import { TextSetting } from "../../controls";
import { Row } from "../../Page";
import { useChangeModels } from "../useModels";
import { PriceForm } from "./PriceForm";
import {
  ANY,
  currencyProblem,
  draftOfPrice,
  emptyPrice,
  withoutPrice,
  withPriceAgain,
  withPriceMoved,
} from "./prices";

/** What models cost, for a million tokens. */
export function Prices({ settings }: { settings: Settings }) {
  const { models } = settings;
  const change = useChangeModels();
  const [editing, setEditing] = useState<number | "new">();
  const add = useRef<HTMLButtonElement>(null);
  const close = () => {
    setEditing(undefined);
    add.current?.focus();
  };
  return (
    <section className="flex flex-col gap-3" aria-label="Prices">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 className="text-lg font-semibold">Prices</h2>
        <Button
          ref={add}
          icon={<Plus size={14} aria-hidden />}
          aria-expanded={editing === "new"}
          onClick={() => (editing === "new" ? close() : setEditing("new"))}
        >
          Add price
        </Button>
      </div>
      <p className="text-muted">
        For a million tokens. The first line that fits a model counts; a model without a price costs nothing.
      </p>
      {editing === "new" && (
        <section className="rounded-md border border-line-strong p-3" aria-label="New price">
          <PriceForm initial={emptyPrice} at={undefined} settings={settings} onClose={close} />
        </section>
      )}
      {models.prices.length > 0 && (
        <ul aria-label="Prices" className="flex flex-col divide-y divide-line rounded-md border border-line">
          {models.prices.map((price, index) =>
            editing === index ? (
              <li key={`${price.backend}/${price.model}`} className="p-3">
                <PriceForm initial={draftOfPrice(price)} at={index} settings={settings} onClose={close} />
              </li>
            ) : (
              <PriceRow
                key={`${price.backend}/${price.model}`}
                price={price}
                index={index}
                settings={settings}
                onEdit={() => setEditing(index)}
                onRemoved={() => add.current?.focus()}
              />
            ),
          )}
        </ul>
      )}
      <div className="rounded-md border border-line">
        <Row>
          <TextSetting
            label="Currency"
            description="Of prices and budgets. Costs that are written down already keep their figures."
            mono
            value={models.currency}
            check={currencyProblem}
            onCommit={(currency) => change.mutate((now) => ({ ...now, currency }))}
          />
        </Row>
        {change.error && <ErrorState compact title="The currency was not kept" error={change.error} />}
      </div>
    </section>
  );
}

function PriceRow({
  price,
  index,
  settings: { models, local_models },
  onEdit,
  onRemoved,
}: {
  price: Price;
  index: number;
  settings: Settings;
  onEdit: () => void;
  onRemoved: () => void;
}) {
  const change = useChangeModels();
  const { backend, model, input, output, cached_input } = price;
  const server =
    [...models.backends, ...local_models.servers].find(({ id }) => id === backend)?.name ?? backend;
  const money = (amount: number) => formatMoney(amount, models.currency);
  const remove = () =>
    // The row goes with its price: what follows must not depend on it.
    void change
      .mutateAsync((now) => withoutPrice(now, price))
      .then(() => {
        onRemoved();
        toast({
          message: `The price of ${model} was removed.`,
          action: {
            label: "Undo",
            run: () => void change.mutateAsync((now) => withPriceAgain(now, index, price)).catch(toastError),
          },
        });
      }, toastError);
  return (
    <li
      aria-label={`${server} / ${model}`}
      className="flex flex-wrap items-center gap-x-3 gap-y-1 py-1.5 pr-2 pl-3"
    >
      <span className="min-w-0 flex-1 basis-48 break-all">
        <span className="text-faint">{backend === ANY ? "Any server" : server} / </span>
        <span className="font-mono text-sm select-text">{model}</span>
      </span>
      <span className="flex flex-wrap gap-x-3 text-sm text-muted tabular-nums select-text">
        <span>{money(input)} in</span>
        <span>{money(output)} out</span>
        {cached_input !== undefined && <span>{money(cached_input)} cached</span>}
      </span>
      <span className="flex gap-0.5">
        <IconButton
          label="Move price up"
          size="small"
          icon={<ArrowUp size={14} />}
          disabled={index === 0}
          onClick={() => change.mutate((now) => withPriceMoved(now, price, -1), { onError: toastError })}
        />
        <IconButton label="Edit price" size="small" icon={<Pencil size={14} />} onClick={onEdit} />
        <IconButton label="Remove price" size="small" icon={<Trash2 size={14} />} onClick={remove} />
      </span>
    </li>
  );
}
