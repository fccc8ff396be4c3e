import type { Command } from 'commander';
import { registerGet } from './get.ts';
import { registerList } from './list.ts';
import { registerPresign } from './presign.ts';
import { registerPut } from './put.ts';
import { registerRemove } from './remove.ts';
import { registerStat } from './stat.ts';

/** `holdfast object …` */
export function registerObjectCommands(object: Command): void {
  registerPut(object);
  registerGet(object);
  registerList(object);
  registerRemove(object);
  registerStat(object);
  registerPresign(object);
}
