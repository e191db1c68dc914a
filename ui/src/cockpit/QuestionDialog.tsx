import { useRef, useState, type FormEvent } from "react";
import { Button, Dialog, Field, Input } from "@/components";
import { type TextQuestion } from "./session/questions";
import { useSession } from "./session/context";
import { useModel } from "./useModel";

/** Asks what must be answered before something would be lost. */
export function QuestionDialog() {
  const { questions } = useSession();
  const { current } = useModel(questions);
  const chosen = useRef<HTMLButtonElement>(null);
  if (!current) return null;
  const turnAway = () => questions.answer(undefined);
  if (current.kind === "text") {
    return (
      <TextDialog
        key={current.question.title}
        question={current.question}
        onAnswer={(text) => questions.answer(text)}
      />
    );
  }
  const { title, text, answers } = current;
  return (
    <Dialog
      open
      onClose={turnAway}
      title={title}
      description={text}
      onOpenAutoFocus={(event) => {
        event.preventDefault();
        chosen.current?.focus();
      }}
      footer={
        <>
          <Button kind="ghost" onClick={turnAway}>
            Cancel
          </Button>
          {answers.map((answer, index) => (
            <Button
              key={answer.label}
              ref={index === answers.length - 1 ? chosen : undefined}
              kind={answer.kind ?? "secondary"}
              onClick={() => questions.answer(answer.value)}
            >
              {answer.label}
            </Button>
          ))}
        </>
      }
    />
  );
}

function TextDialog({
  question,
  onAnswer,
}: {
  question: TextQuestion;
  onAnswer: (text: string | undefined) => void;
}) {
  const [text, setText] = useState(question.initial);
  const problem = question.problem(text);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (problem === undefined) onAnswer(text);
  };
  return (
    <Dialog
      open
      onClose={() => onAnswer(undefined)}
      title={question.title}
      footer={
        <>
          <Button kind="ghost" onClick={() => onAnswer(undefined)}>
            Cancel
          </Button>
          <Button kind="primary" type="submit" form="question" disabled={problem !== undefined}>
            {question.action}
          </Button>
        </>
      }
    >
      <form id="question" onSubmit={submit}>
        <Field label={question.label} error={text === question.initial ? undefined : problem}>
          {(ids) => (
            <Input {...ids} autoFocus value={text} onChange={(event) => setText(event.target.value)} />
          )}
        </Field>
      </form>
    </Dialog>
  );
}
