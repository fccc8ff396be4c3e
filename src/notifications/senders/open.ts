import type { Clock } from '../../kernel/ids.ts';
import type { OpenTarget } from '../target.ts';
import { mqttSender } from './mqtt.ts';
import type { Sender } from './sender.ts';
import { webhookSender } from './webhook.ts';

/** The way to a target, by its kind. Nothing is connected yet. */
export function openSender(target: OpenTarget, clock: Clock): Sender {
  return target.kind === 'webhook' ? webhookSender(target, clock) : mqttSender(target);
}
