/** Who can be told, and how; pure. */

export const targetKinds = ['webhook', 'mqtt'] as const;
export type TargetKind = (typeof targetKinds)[number];

/** A disabled target is told nothing, and nothing is kept for it. */
export const targetStates = ['active', 'disabled'] as const;
export type TargetState = (typeof targetStates)[number];

/** How many targets there may be. */
export const targetsMax = 100;
/** How much may wait for one target; what comes beyond it is dropped, and counted. */
export const backlogMax = 100_000;
/** How many dead letters are kept for one target; the oldest go first. */
export const deadLettersMax = 10_000;

/** What may be seen of how a target is reached. */
export interface TargetSettings {
  readonly url: string;
  /** Deadline of one delivery. */
  readonly timeoutMs: number;
  /** How many deliveries may be under way at once, in each server. */
  readonly parallel: number;
  /** The `source` of CloudEvents, by which a receiver tells one installation from another. */
  readonly source: string;
  /** Names of the extra headers of a webhook, in lower case. */
  readonly headerNames: readonly string[];
  /** The topic of a broker, `null` for a webhook. */
  readonly topic: string | null;
  /** Certificates that are trusted in place of the usual ones, as PEM. */
  readonly ca: string | null;
}

/** What nobody may see. */
export interface TargetSecrets {
  /** What a webhook's requests are signed with, `whsec_` and base64. */
  readonly secret?: string;
  /** Extra headers of a webhook with their values. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly username?: string;
  readonly password?: string;
}

export interface Target {
  readonly name: string;
  readonly kind: TargetKind;
  readonly settings: TargetSettings;
  readonly state: TargetState;
  /** Why it is disabled, when that was not asked for. */
  readonly reason: string | null;
  /** Deliveries that wait, dead letters, and what was dropped because too much waited. */
  readonly waiting: number;
  readonly dead: number;
  readonly dropped: number;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** A target that can be reached: with what nobody may see. */
export interface OpenTarget extends Target {
  readonly secrets: TargetSecrets;
}

/** The resource under which a target's events are numbered, the name of its lock, and what its secrets are sealed for. */
export function targetResource(name: string): string {
  return `notification-target:${name}`;
}
