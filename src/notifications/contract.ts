import Type from 'typebox';
import { endpoint } from '../kernel/http/contract.ts';
import { nullable, pageOf, pageQuery, timeSchema } from '../kernel/http/schemas.ts';
import { deadLettersPerCallMax } from './changing/dead-letters.ts';
import { typePattern } from './subscription.ts';
import { targetKinds, targetStates } from './target.ts';

const closed = { additionalProperties: false };
/** Fits into the last part of an ARN. */
const name = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$', description: 'Small letters, digits, - and _.' });
const reference = Type.String({ minLength: 1, maxLength: 100 });

export const targetSchema = Type.Object({
  name: Type.String(),
  kind: Type.Enum([...targetKinds]),
  url: Type.String(),
  headers: Type.Array(Type.String(), { description: 'Names of the extra headers; their values are not told.' }),
  topic: nullable(Type.String()),
  ca: nullable(Type.String()),
  source: Type.String({ description: 'The `source` of its CloudEvents.' }),
  timeout_ms: Type.Integer(),
  parallel: Type.Integer(),
  state: Type.Enum([...targetStates]),
  reason: nullable(Type.String({ description: 'Why it is disabled, when the receiver asked for it.' })),
  waiting: Type.Integer({ description: 'What is to be delivered.' }),
  dead_letters: Type.Integer(),
  dropped: Type.Integer({ description: 'What was not kept because too much waited, since the last change.' }),
  created_at: timeSchema,
  updated_at: timeSchema,
});

const grantedTarget = Type.Object({
  target: targetSchema,
  secret: nullable(Type.String({ description: 'The secret that was made for a webhook; it is told this once.' })),
});

const wish = {
  url: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 })),
  secret: Type.Optional(Type.String({ maxLength: 200, description: '`whsec_` and base64; made when absent.' })),
  headers: Type.Optional(Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 4_096 }))),
  topic: Type.Optional(Type.String({ maxLength: 1_024 })),
  username: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 1_024 }))),
  password: Type.Optional(nullable(Type.String({ maxLength: 4_096 }))),
  ca: Type.Optional(nullable(Type.String({ maxLength: 65_536, description: 'Certificates to trust, as PEM.' }))),
  source: Type.Optional(Type.String({ maxLength: 200 })),
  timeout_ms: Type.Optional(Type.Integer({ minimum: 100, maximum: 60_000 })),
  parallel: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 16, description: 'Deliveries at once, in each server.' }),
  ),
};

const subscriptionSchema = Type.Object({
  name: Type.String(),
  target: Type.String(),
  types: Type.Array(Type.String()),
  resources: Type.Array(Type.String()),
  created_at: timeSchema,
});

export const deadLetterSchema = Type.Object({
  id: Type.Integer(),
  target: Type.String(),
  event_id: Type.Integer(),
  resource: Type.String(),
  type: Type.String(),
  attempts: Type.Integer(),
  last_error: nullable(Type.String()),
  body: Type.String({ description: 'The CloudEvent, as JSON.' }),
  created_at: timeSchema,
});

const deadLetters = Type.Object(
  {
    target: reference,
    ids: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1 }), {
        minItems: 1,
        maxItems: deadLettersPerCallMax,
        description: `Which; without, the oldest ${deadLettersPerCallMax}.`,
      }),
    ),
  },
  closed,
);

const tag = 'notifications';
const root = '/api/v1/notifications';
const targetParams = Type.Object({ target: reference });

export const notificationContract = {
  createNotificationTarget: endpoint({
    id: 'create_notification_target',
    method: 'POST',
    path: `${root}/targets`,
    summary: 'Add somebody who is to be told of events: a webhook, or a topic of an MQTT broker',
    tag,
    role: 'admin',
    body: Type.Object({ name, kind: Type.Enum([...targetKinds]), ...wish }, closed),
    status: 201,
    reply: grantedTarget,
  }),
  listNotificationTargets: endpoint({
    id: 'list_notification_targets',
    method: 'GET',
    path: `${root}/targets`,
    summary: 'All targets, with what waits for them',
    tag,
    role: 'viewer',
    status: 200,
    reply: Type.Object({ items: Type.Array(targetSchema) }),
  }),
  getNotificationTarget: endpoint({
    id: 'get_notification_target',
    method: 'GET',
    path: `${root}/targets/{target}`,
    summary: 'One target',
    tag,
    role: 'viewer',
    params: targetParams,
    status: 200,
    reply: targetSchema,
  }),
  changeNotificationTarget: endpoint({
    id: 'change_notification_target',
    method: 'PUT',
    path: `${root}/targets/{target}`,
    summary: 'Change what is given of a target; disabling it forgets what waits for it',
    tag,
    role: 'admin',
    params: targetParams,
    body: Type.Object({ ...wish, state: Type.Optional(Type.Enum([...targetStates])) }, closed),
    status: 200,
    reply: grantedTarget,
  }),
  removeNotificationTarget: endpoint({
    id: 'remove_notification_target',
    method: 'DELETE',
    path: `${root}/targets/{target}`,
    summary: 'Remove a target with its subscriptions and all that waits for it',
    tag,
    role: 'admin',
    params: targetParams,
    status: 200,
    reply: Type.Object({ name: Type.String() }),
  }),
  testNotificationTarget: endpoint({
    id: 'test_notification_target',
    method: 'POST',
    path: `${root}/targets/{target}/test`,
    summary: 'Send a test message to a target now, and say whether it was taken',
    tag,
    role: 'operator',
    params: targetParams,
    body: Type.Object({}, closed),
    status: 200,
    reply: Type.Object({ ok: Type.Boolean(), detail: Type.String() }),
  }),
  createNotificationSubscription: endpoint({
    id: 'create_notification_subscription',
    method: 'POST',
    path: `${root}/subscriptions`,
    summary: 'Tell a target of events, by type and resource',
    tag,
    role: 'operator',
    body: Type.Object(
      {
        name,
        target: reference,
        types: Type.Array(Type.String({ pattern: typePattern }), {
          minItems: 1,
          maxItems: 50,
          description: 'Types of events, such as `volume.attached`, `integrity.*` or `*`.',
        }),
        resources: Type.Optional(
          Type.Array(Type.String({ minLength: 1, maxLength: 1_200 }), {
            maxItems: 50,
            description: 'Beginnings of resources, such as `volume:` or `object:photos/`; without, all.',
          }),
        ),
      },
      closed,
    ),
    status: 201,
    reply: subscriptionSchema,
  }),
  listNotificationSubscriptions: endpoint({
    id: 'list_notification_subscriptions',
    method: 'GET',
    path: `${root}/subscriptions`,
    summary: 'All subscriptions; what buckets tell is in the configuration of each bucket',
    tag,
    role: 'viewer',
    status: 200,
    reply: Type.Object({ items: Type.Array(subscriptionSchema) }),
  }),
  removeNotificationSubscription: endpoint({
    id: 'remove_notification_subscription',
    method: 'DELETE',
    path: `${root}/subscriptions/{subscription}`,
    summary: 'End a subscription',
    tag,
    role: 'operator',
    params: Type.Object({ subscription: reference }),
    status: 200,
    reply: Type.Object({ name: Type.String() }),
  }),
  listNotificationDeadLetters: endpoint({
    id: 'list_notification_dead_letters',
    method: 'GET',
    path: `${root}/dead-letters`,
    summary: 'What could not be delivered, with the last error',
    tag,
    role: 'operator',
    query: Type.Object({ target: Type.Optional(reference), ...pageQuery }, closed),
    status: 200,
    reply: pageOf(deadLetterSchema),
  }),
  requeueNotificationDeadLetters: endpoint({
    id: 'requeue_notification_dead_letters',
    method: 'POST',
    path: `${root}/dead-letters/requeue`,
    summary: 'Try dead letters of a target again',
    tag,
    role: 'operator',
    body: deadLetters,
    status: 200,
    reply: Type.Object({ requeued: Type.Integer() }),
  }),
  dropNotificationDeadLetters: endpoint({
    id: 'drop_notification_dead_letters',
    method: 'POST',
    path: `${root}/dead-letters/drop`,
    summary: 'Throw dead letters of a target away',
    tag,
    role: 'operator',
    body: deadLetters,
    status: 200,
    reply: Type.Object({ dropped: Type.Integer() }),
  }),
};
