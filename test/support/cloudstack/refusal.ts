/** An error as CloudStack tells it: a code, which is also the HTTP status, and a text. */
export class Refusal extends Error {
  readonly code: number;
  readonly csCode: number;

  constructor(code: number, text: string, csCode = 4350) {
    super(text);
    this.name = 'Refusal';
    this.code = code;
    this.csCode = csCode;
  }
}

/** A parameter, or the state of what it names (InvalidParameterValueException). */
export function refused(text: string): Refusal {
  return new Refusal(431, text);
}

/** An id that nothing has. */
export function unknownId(command: string, parameter: string, value: string): Refusal {
  return new Refusal(
    431,
    `Unable to execute API command ${command.toLowerCase()} due to invalid value. Invalid parameter ${parameter} value=${value} due to incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd class.`,
    9999,
  );
}
