import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog } from './log.ts';

function logOf(level: string) {
  const lines: string[] = [];
  return { lines, log: createLog({ level, destination: { write: (line) => void lines.push(line) } }) };
}

describe('the log', () => {
  test('is one JSON object a line, with an ISO time and the name of the level', () => {
    const { lines, log } = logOf('info');
    log.info({ operation: 'op-1' }, 'operation\nended');
    log.debug('not written');
    assert.equal(lines.length, 1);
    assert.ok(lines[0]!.endsWith('}\n') && lines[0]!.split('\n').length === 2);
    const { time, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>;
    assert.deepEqual(rest, { level: 'info', operation: 'op-1', msg: 'operation\nended' });
    assert.equal(new Date(String(time)).toISOString(), time);
  });

  test('shows no secret', () => {
    const { lines, log } = logOf('trace');
    const secret = 'hunter2';
    log.child({ token: secret }).info({ authorization: secret, values: { databaseUrl: secret } }, 'a');
    log.info({ req: { headers: { authorization: secret, cookie: secret } }, user: { password: secret } }, 'b');
    assert.equal(lines.length, 2);
    assert.ok(lines.every((line) => !line.includes(secret) && line.includes('***')));
  });

  test('keeps an error with its cause', () => {
    const { lines, log } = logOf('info');
    log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
    assert.match(lines[0]!, /"message":"outer: inner"/);
  });
});
