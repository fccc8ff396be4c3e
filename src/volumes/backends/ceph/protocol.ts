import type { ErrorData } from '../../../kernel/errors/errors.ts';
import type {
  BackendHealth,
  CreateImage,
  Detachment,
  ImageAttachment,
  ImageFacts,
  QosLimits,
  SnapshotFacts,
  SurveyedImage,
} from '../backend.ts';
import type { CephConnection } from './session.ts';

/** The verbs that the parent forwards: their arguments and results, as plain data (BigInt included). */
export interface Verbs {
  health: { args: object; result: BackendHealth };
  create: { args: { fence: number; params: CreateImage }; result: ImageFacts };
  inspect: { args: { image: string }; result: ImageFacts | null };
  survey: { args: { images: readonly string[] }; result: readonly (SurveyedImage | null)[] };
  list: { args: { after?: string; limit: number }; result: readonly ImageFacts[] };
  resize: { args: { fence: number; image: string; sizeBytes: bigint }; result: ImageFacts };
  createSnapshot: { args: { fence: number; image: string; snapshot: string }; result: SnapshotFacts };
  listSnapshots: { args: { image: string }; result: readonly SnapshotFacts[] };
  deleteSnapshot: { args: { fence: number; image: string; snapshot: string }; result: null };
  revert: { args: { fence: number; image: string; snapshot: string }; result: ImageFacts };
  attach: { args: { fence: number; image: string; attachment: ImageAttachment }; result: ImageFacts };
  detach: {
    args: { fence: number; image: string; attachment: Detachment };
    result: null;
  };
  fence: { args: { fence: number; image: string; clients: readonly string[] }; result: null };
  setQos: { args: { fence: number; image: string; qos: QosLimits }; result: null };
  trash: { args: { fence: number; image: string }; result: null };
  restore: { args: { fence: number; image: string }; result: ImageFacts };
  purge: { args: { fence: number; image: string }; result: null };
  adopt: { args: { fence: number; image: string; tag: { volumeId: string; name: string } }; result: ImageFacts };
}

export type Verb = keyof Verbs;

/** What the parent sends. */
export type ToChild =
  /** First message: how to connect, and the addresses of predecessors to cut off. */
  | { readonly type: 'open'; readonly connection: CephConnection; readonly predecessors: readonly string[] }
  | { readonly type: 'call'; readonly id: number; readonly verb: Verb; readonly args: Verbs[Verb]['args'] }
  /** Nobody waits for this call any more; it should end at its next step. */
  | { readonly type: 'abandon'; readonly id: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'close' };

/** What the child sends. */
export type FromChild =
  | { readonly type: 'done'; readonly id: number; readonly value: unknown }
  /** `isLast`: only a new process can do better, so this one ends now. */
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorData; readonly isLast: boolean }
  /** `stuck` names native calls that no healthy cluster leaves open for so long. */
  | { readonly type: 'pong'; readonly id: number; readonly stuck: readonly string[] }
  /** Sent after each connect: the client's address, to be cut off if this process ends without closing. */
  | { readonly type: 'connected'; readonly address: string }
  /** Answer to the start argument `probe`. */
  | { readonly type: 'probed'; readonly problem: string | null };
