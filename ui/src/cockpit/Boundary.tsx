import { Component, type FunctionComponent, type ReactNode } from "react";
import { ErrorState } from "@/components";

interface BoundaryProps {
  /** What is inside, as its error names it: "The explorer". */
  name: string;
  /** Loads the page again instead of drawing anew: what could not be loaded once is not asked for again. */
  reloads?: boolean;
  children: ReactNode;
}

/** Keeps a fault of one part from taking the others, and unsaved text, with it. */
export class Boundary extends Component<BoundaryProps, { error: unknown }> {
  override state: { error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <div className={this.props.reloads ? "mx-auto max-w-lg p-3 pt-[20vh]" : "h-full overflow-auto p-3"}>
        <ErrorState
          compact
          title={`${this.props.name} stopped because of a fault`}
          error={error}
          onRetry={() => (this.props.reloads ? location.reload() : this.setState({ error: undefined }))}
          retryLabel={this.props.reloads ? "Load the page again" : "Show it again"}
        />
      </div>
    );
  }
}

/** A component whose faults stay within it. */
export function guarded<P extends object>(name: string, Inner: FunctionComponent<P>): FunctionComponent<P> {
  return function Guarded(props: P) {
    return (
      <Boundary name={name}>
        <Inner {...props} />
      </Boundary>
    );
  };
}
