import { KeyRound } from "lucide-react";
import { CommandLine, EmptyState } from "@/components";

/** The page has no sign-in that counts: how to get one. */
export function SignedOut({ reason }: { reason: string }) {
  return (
    <main className="flex h-full items-center justify-center">
      <EmptyState icon={<KeyRound size={24} />} title="Sign in to this host" heading="h1">
        <p>{reason}</p>
        <p className="mt-2 mb-3">
          On the machine that runs AiCockpit, start it and open the address it prints. Each address signs in
          once.
        </p>
        <CommandLine command="aicockpit serve" />
      </EmptyState>
    </main>
  );
}
