import type { LockRule } from '../bucket.ts';
import { objectError } from '../errors.ts';
import type { XmlElement } from './command.ts';
import { type Retention, requireFuture, retentionModes } from './lock-rules.ts';
import { parseTime } from './times.ts';
import { childOf, expectElement, integerIn, malformed, requiredText, textIn, wordIn } from './xml/find.ts';

/** The documents of object lock, read and written; pure. */

export const lockXmlBytesMax = 16_384;
/** The longest retention that a rule may give, as on AWS. */
const daysMax = 36_500;
const yearsMax = 100;

/** The default rule in an `ObjectLockConfiguration`, `null` for none. Throws `MalformedXML` and `InvalidArgument`. */
export function parseLockConfiguration(root: XmlElement): LockRule | null {
  expectElement(root, 'ObjectLockConfiguration', ['ObjectLockEnabled', 'Rule']);
  if (wordIn(root, 'ObjectLockEnabled', ['Enabled']) === undefined) throw malformed('ObjectLockEnabled is Enabled.');
  const rule = childOf(root, 'Rule');
  if (rule === undefined) return null;
  const retention = childOf(expectElement(rule, 'Rule', ['DefaultRetention']), 'DefaultRetention');
  if (retention === undefined) throw malformed('Rule needs a DefaultRetention.');
  expectElement(retention, 'DefaultRetention', ['Mode', 'Days', 'Years']);
  const mode = wordIn(retention, 'Mode', retentionModes);
  const [days, years] = [integerIn(retention, 'Days'), integerIn(retention, 'Years')];
  if (mode === undefined) throw malformed('DefaultRetention needs a Mode.');
  if ((days === undefined) === (years === undefined)) throw malformed('DefaultRetention has either Days or Years.');
  requireBetween('Days', days, daysMax);
  requireBetween('Years', years, yearsMax);
  return { mode, ...(days === undefined ? {} : { days }), ...(years === undefined ? {} : { years }) };
}

function requireBetween(name: string, value: number | undefined, max: number): void {
  if (value !== undefined && (value < 1 || value > max)) {
    throw objectError('InvalidArgument', { argument: name }, `${name} is from 1 to ${max}.`);
  }
}

export function writeLockConfiguration(rule: LockRule | null): XmlElement {
  const enabled: XmlElement = { name: 'ObjectLockEnabled', text: 'Enabled' };
  if (rule === null) return { name: 'ObjectLockConfiguration', children: [enabled] };
  const period: XmlElement =
    rule.years === undefined ? { name: 'Days', text: String(rule.days) } : { name: 'Years', text: String(rule.years) };
  const retention = { name: 'DefaultRetention', children: [{ name: 'Mode', text: rule.mode }, period] };
  return { name: 'ObjectLockConfiguration', children: [enabled, { name: 'Rule', children: [retention] }] };
}

/** The retention of a `Retention` document; `null` for an empty one, which ends retention. Throws `MalformedXML`. */
export function parseRetention(root: XmlElement, nowMs: number): Retention | null {
  expectElement(root, 'Retention', ['Mode', 'RetainUntilDate']);
  const mode = wordIn(root, 'Mode', retentionModes);
  const until = textIn(root, 'RetainUntilDate');
  if (mode === undefined && until === undefined) return null;
  if (mode === undefined || until === undefined) throw malformed('Retention has both Mode and RetainUntilDate.');
  const untilMs = parseTime(until);
  if (untilMs === null) throw malformed('RetainUntilDate is a time as ISO 8601 writes it.');
  requireFuture(untilMs, nowMs);
  return { mode, untilMs };
}

export function writeRetention({ mode, untilMs }: Retention): XmlElement {
  return {
    name: 'Retention',
    children: [
      { name: 'Mode', text: mode },
      { name: 'RetainUntilDate', text: new Date(untilMs).toISOString() },
    ],
  };
}

/** Whether a `LegalHold` document holds. Throws `MalformedXML`. */
export function parseLegalHold(root: XmlElement): boolean {
  expectElement(root, 'LegalHold', ['Status']);
  requiredText(root, 'Status');
  return wordIn(root, 'Status', ['ON', 'OFF']) === 'ON';
}

export function writeLegalHold(isLegalHold: boolean): XmlElement {
  return { name: 'LegalHold', children: [{ name: 'Status', text: isLegalHold ? 'ON' : 'OFF' }] };
}
