/**
 * What a broker of AMQP 0-9-1 says of a failure, in one line of at most 500 characters with its reply code (section 1.3 of its reference), or our client's.
 * The client puts the method before it, or "undefined" where the broker names none; RabbitMQ repeats the code in its text, others do not.
 */
export function amqpText(code: string, message: string): string {
  const said = oneLine(
    message.replace(/^(?:undefined|(?:Connection|Channel|Exchange|Queue|Basic|Confirm|Tx)[A-Z]\w*): /, ''),
  );
  if (code === '' || said.includes(code)) return said;
  return said === '' ? code : `${code}: ${said}`.slice(0, MAX_CHARS);
}

const MAX_CHARS = 500;

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, MAX_CHARS);
}
