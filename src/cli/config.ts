import { type Config, describeConfig } from '../kernel/config/config.ts';
import { type Output, json, table } from './output.ts';

/** `holdfast config`: every setting, its value and where that comes from. */
export function showConfig(config: Config, output: Output, isJson: boolean): void {
  const rows = describeConfig(config);
  if (isJson) return output.line(json(rows));
  const cells = rows.map(({ name, value, origin, description }) => [name, value || '-', origin, description]);
  for (const line of table(['SETTING', 'VALUE', 'FROM', 'MEANING'], cells)) output.line(line);
}
