import type { BackendCapabilities } from '../../src/volumes/backends/backend.ts';
import type { VolumeState } from '../../src/volumes/fsm.ts';
import type { Moment, Verb } from '../support/faulty-backend.ts';
import { contentScenarios } from './scenarios-content.ts';
import { lifecycleScenarios } from './scenarios-lifecycle.ts';
import type { Hand } from './world.ts';

/** What a scenario works on. Names are new each time, so that one server serves many runs. */
export interface Subject {
  readonly name: string;
  /** The volume; empty until the request has made it. */
  volumeId: string;
  /** Whatever else the scenario has to remember. */
  readonly notes: Record<string, string>;
}

/** One operation of volumes, as the four standard tests run it. */
export interface Scenario {
  readonly name: string;
  readonly needs?: keyof BackendCapabilities;
  /** The verbs that the operation uses of the backend, in order: the places where it can fail or be cut off. */
  readonly verbs: readonly Verb[];
  /** At which moments of a verb it is cut off, where both say the same or are tested elsewhere; by default before and after. */
  readonly moments?: Readonly<Partial<Record<Verb, readonly Moment[]>>>;
  /** Brings the world to where the request makes sense. */
  prepare(hand: Hand, subject: Subject): Promise<void>;
  /** Asks for the operation; gives its id. */
  request(hand: Hand, subject: Subject): Promise<string>;
  /** Fails unless API and real system both say that it was done, once. */
  check(hand: Hand, subject: Subject): Promise<void>;
  /** The volume's state after the operation has failed without any effect. */
  readonly afterFailure: VolumeState;
  /** What brings it right again after that, in this order. */
  readonly repair: readonly ('reconcile' | 'request' | 'clean')[];
  /** Removes what a failure left under the name that the repeated request needs. */
  clean?(hand: Hand, subject: Subject): Promise<void>;
}

/** Every operation of volumes. */
export const scenarios: readonly Scenario[] = [...lifecycleScenarios, ...contentScenarios];
