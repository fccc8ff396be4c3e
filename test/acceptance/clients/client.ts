import type { ClientHome } from './client-home.ts';
import type { Tool } from '../../support/s3-clients.ts';

/** One thing that a user does with a client. */
export interface Step {
  readonly name: string;
  run(home: ClientHome): Promise<void>;
}

/** A client, and what it is used for; later steps find what earlier ones have made. */
export interface Client {
  readonly tool: Tool;
  /** All that must be installed for it. */
  readonly needs: readonly Tool[];
  readonly steps: readonly Step[];
  /** Removes all that the steps have left, when the client can do that. */
  readonly lastSteps: readonly Step[];
}

export function step(name: string, run: (home: ClientHome) => Promise<void>): Step {
  return { name, run };
}
