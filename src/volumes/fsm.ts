/** The states of a volume, as users know them. */
export const volumeStates = [
  'pending',
  'creating',
  'creating_failed',
  'available',
  'attaching',
  'attaching_failed',
  'attached',
  'detaching',
  'detaching_failed',
  'deleting',
  'deleting_failed',
  'deleted',
  'error',
] as const;
export type VolumeState = (typeof volumeStates)[number];

/** What can happen to a volume's state. */
export const volumeTransitions = [
  'create',
  'created',
  'attach',
  'attached',
  'detach',
  'detached',
  'delete',
  'deleted',
  'restore',
  'fail',
  'retry',
  'exhaust',
  'cancelled',
  'refused',
  'lost',
  'found_absent',
  'found_available',
  'found_attached',
] as const;
export type VolumeTransition = (typeof volumeTransitions)[number];

type Row = Readonly<Partial<Record<VolumeTransition, VolumeState>>>;

/**
 * The one table of what may follow what. What is not in it does not happen: a request is answered 409, and a
 * stale writer's commit is refused.
 */
export const volumeFsm: Readonly<Record<VolumeState, Row>> = {
  pending: { create: 'creating', delete: 'deleting', lost: 'error' },
  creating: { created: 'available', fail: 'creating_failed', exhaust: 'error', cancelled: 'deleted', lost: 'error' },
  creating_failed: { retry: 'creating', exhaust: 'error', cancelled: 'deleted', lost: 'error' },
  available: { attach: 'attaching', delete: 'deleting', lost: 'error' },
  attaching: {
    attached: 'attached',
    fail: 'attaching_failed',
    exhaust: 'error',
    cancelled: 'available',
    lost: 'error',
  },
  attaching_failed: { retry: 'attaching', exhaust: 'error', cancelled: 'available', lost: 'error' },
  attached: { detach: 'detaching', lost: 'error' },
  detaching: {
    detached: 'available',
    fail: 'detaching_failed',
    exhaust: 'error',
    cancelled: 'attached',
    refused: 'attached',
    lost: 'error',
  },
  detaching_failed: {
    retry: 'detaching',
    detached: 'available',
    exhaust: 'error',
    cancelled: 'attached',
    refused: 'attached',
    lost: 'error',
  },
  deleting: { deleted: 'deleted', fail: 'deleting_failed', exhaust: 'error', cancelled: 'available', lost: 'error' },
  deleting_failed: { retry: 'deleting', deleted: 'deleted', exhaust: 'error', cancelled: 'available', lost: 'error' },
  deleted: { restore: 'creating' },
  error: {
    delete: 'deleting',
    found_absent: 'pending',
    found_available: 'available',
    found_attached: 'attached',
  },
};

/** The state after a transition, or `null` when the table does not allow it. */
export function nextState(state: VolumeState, transition: VolumeTransition): VolumeState | null {
  return volumeFsm[state][transition] ?? null;
}

/** States in which something is under way and another state will follow by itself. */
export function isTransitional(state: VolumeState): boolean {
  return !isSettled(state);
}

/** States that stay until somebody asks for something. */
export function isSettled(state: VolumeState): boolean {
  return state === 'available' || state === 'attached' || state === 'deleted' || state === 'error';
}
