import { z } from 'zod';

/** What JSON Schema says of a variable's schema, with what `meta` adds. */
interface Described {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly items?: Described;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly description?: string;
  readonly unit?: string;
}

/** The values that a variable's schema takes, in Markdown: `1 to 120 seconds`. @throws Error when the schema does not say. */
export function allowedValues(schema: z.ZodType): string {
  // What is made of the text says more than the text does; of a mere transformation nothing is known but the text.
  for (const io of ['output', 'input'] as const) {
    const text = textOf(z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Described);
    if (text !== '') return text;
  }
  throw new Error('a variable’s schema says what it takes by a range, an enumeration or a description');
}

function textOf(of: Described): string {
  if (of.description === undefined && of.items !== undefined) return listText(of.items);
  return [of.description ?? valuesText(of), of.type === 'string' ? lengthText(of) : '']
    .filter((part) => part !== '')
    .join(', ');
}

function listText(items: Described): string {
  return items.enum === undefined
    ? `${valuesText(items)}, or several separated by commas`
    : `one or more of ${quoted(items.enum).join(', ')}, separated by commas`;
}

function valuesText({ enum: values, minimum, maximum, unit }: Described): string {
  if (values !== undefined) return `${quoted(values.slice(0, -1)).join(', ')} or ${quoted(values.slice(-1))}`;
  if (minimum === undefined || maximum === undefined) return '';
  return `${minimum} to ${maximum}${unit === undefined ? '' : ` ${unit}`}`;
}

function lengthText({ minLength = 1, maxLength }: Described): string {
  if (maxLength === undefined) return '';
  return minLength > 1 ? `${minLength} to ${maxLength} characters` : `at most ${maxLength} characters`;
}

function quoted(values: readonly string[]): string[] {
  return values.map((value) => `\`${value}\``);
}
