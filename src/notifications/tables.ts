/** Rows of this feature's tables, as statements give them. Times are integer milliseconds, documents JSON text. */

export interface TargetRow {
  name: string;
  kind: string;
  config: string;
  /** Sealed; JSON of the parts of the target that nobody may see. */
  secrets: string;
  state: string;
  reason: string | null;
  waiting: number;
  dead: number;
  dropped: number;
  version: number;
  created_at: number;
  updated_at: number;
}

export interface SubscriptionRow {
  name: string;
  target: string;
  types: string;
  resources: string;
  created_at: number;
}

export interface DeliveryRow {
  id: number;
  target: string;
  event_id: number;
  resource: string;
  type: string;
  body: string;
  state: string;
  attempts: number;
  due_at: number;
  last_error: string | null;
  claimed_by: string | null;
  claimed_until: number;
  created_at: number;
}
