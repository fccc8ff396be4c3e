/** A message on its way to a target. */
export interface Message {
  /** The id of the CloudEvent. */
  readonly id: string;
  /** A CloudEvent as JSON. */
  readonly body: string;
}

export type Sent =
  | { readonly outcome: 'delivered' }
  /** It may work later; `waitMs` is how long the receiver asks to be left alone, if it does. */
  | { readonly outcome: 'failed'; readonly error: string; readonly waitMs: number | null }
  /** The receiver wants nothing any more. */
  | { readonly outcome: 'gone'; readonly error: string };

/** The way to one target. */
export interface Sender {
  /** Sends a message within the target's deadline, or until `signal` aborts. Never throws: what went wrong is the outcome. */
  send(message: Message, signal: AbortSignal): Promise<Sent>;
  close(): void;
}
