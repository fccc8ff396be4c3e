/** What the host tells the agent of a guest. */
export type ToAgent =
  | {
      readonly kind: 'start';
      readonly id: number;
      readonly command: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
    }
  /** All of the input of a process. */
  | { readonly kind: 'input'; readonly id: number; readonly text: string }
  | { readonly kind: 'signal'; readonly id: number; readonly signal: NodeJS.Signals; readonly isGroup: boolean };

/** What the agent tells the host. */
export type FromAgent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'started'; readonly id: number; readonly pid: number }
  | { readonly kind: 'output'; readonly id: number; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | {
      readonly kind: 'ended';
      readonly id: number;
      readonly status: number | null;
      readonly signal: NodeJS.Signals | null;
    }
  /** There is no process. */
  | { readonly kind: 'failed'; readonly id: number; readonly text: string }
  /** Of the agent itself. */
  | { readonly kind: 'trouble'; readonly text: string };
