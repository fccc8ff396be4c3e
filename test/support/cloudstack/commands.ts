import type { AsyncWork, JobTable } from './jobs.ts';
import type { World } from './world.ts';

export type Given = Readonly<Record<string, string | undefined>>;

/** What commands work on. */
export interface Cloud {
  readonly world: World;
  readonly jobs: JobTable;
}

/** An answer at once, or a job. A create names what it has entered before the job. */
export type Outcome =
  | { readonly answer: Record<string, unknown> }
  | { readonly job: AsyncWork; readonly createdId?: string };

export type Command = (cloud: Cloud, given: Given) => Outcome;
