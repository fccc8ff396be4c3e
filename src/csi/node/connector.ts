import type { Labels } from '../messages.ts';

/** A connection that is wanted, or was made. */
export interface ConnectionTarget {
  readonly volumeId: string;
  /** The publish context: transport, address and name of the export. */
  readonly context: Labels;
  /** What was noted when it was made. */
  readonly handle: Labels;
}

/**
 * What has become of a connection. `waiting`: the kernel connects again by itself, and nobody needs to do anything yet.
 * `lost`: it does not come back, though a device may be left of it.
 */
export type Link = 'live' | 'waiting' | 'lost';

/** How volumes of one transport come to be block devices of this machine. */
export interface Connector {
  /** The device of this very export, recognised by what it says itself, never by its letter; `null` when there is none. */
  find(target: ConnectionTarget): Promise<string | null>;
  /** Asks the connection itself; one that was never made is `lost`. */
  link(target: ConnectionTarget): Promise<Link>;
  /**
   * Connects, when `find` found nothing. What undoing needs is given to `note` before the act.
   *
   * @throws HoldfastError `unavailable` when the export cannot be reached.
   */
  connect(target: ConnectionTarget, note: (handle: Labels) => Promise<void>): Promise<string>;
  /** Not being connected is success. */
  disconnect(target: ConnectionTarget): Promise<void>;
  /** Makes the kernel see the volume's size of now. */
  refresh(target: ConnectionTarget, device: string): Promise<void>;
}
