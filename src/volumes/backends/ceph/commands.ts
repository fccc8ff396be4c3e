import { attach, detach, fence } from './command-attach.ts';
import { createSnapshot, deleteSnapshot, resize, revert, setQos } from './command-change.ts';
import { adopt, create } from './command-create.ts';
import { health, inspect, list, listSnapshots, survey } from './command-read.ts';
import { purge, restore, trash } from './command-trash.ts';
import type { Command } from './command.ts';
import type { Verb } from './protocol.ts';

/** Every verb of the port, as it runs in the child. */
export const COMMANDS: { readonly [V in Verb]: Command<V> } = {
  health,
  create,
  inspect,
  survey,
  list,
  resize,
  createSnapshot,
  listSnapshots,
  deleteSnapshot,
  revert,
  attach,
  detach,
  fence,
  setQos,
  trash,
  restore,
  purge,
  adopt,
};

/** Verbs that only read; the others on one image run one after another. */
export const READERS: ReadonlySet<Verb> = new Set(['health', 'inspect', 'survey', 'list', 'listSnapshots']);

/** Verbs whose work grows with the size of the image. */
export const LONG_VERBS: ReadonlySet<Verb> = new Set(['purge', 'revert', 'deleteSnapshot']);
