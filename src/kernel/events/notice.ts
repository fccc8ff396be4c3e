import type { Event } from './event.ts';

/** What somebody is to be told of an event in words of a feature's own, as CloudEvents 1.0 has the attributes. */
export interface Notice {
  readonly eventId: number;
  /** The resource whose notices are told in order. */
  readonly resource: string;
  /** The name of who is to be told. */
  readonly target: string;
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  readonly timeMs: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A feature that has settings of its own for who is told what, such as buckets. */
export interface NoticeSource {
  /** The notices of these events, in their order, by the settings that stand when it is asked. */
  noticesOf(events: readonly Event[]): Promise<readonly Notice[]>;
}
