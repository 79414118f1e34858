/**
 * The headers of a message, as its content header frame has them, whole numbers of 64 bits as `bigint`: the client makes numbers of them, so
 * that different ids become one.
 * @param frame what the frame holds, which the client has read without finding fault with it (AMQP 0-9-1, 4.2.6.1)
 * @throws RangeError where tables are nested deeper than there is a stack to read them
 */
export function exactHeaders(frame: Buffer): Readonly<Record<string, unknown>> {
  const flags = frame.readUInt16BE(FLAGS_AT);
  let at = PROPERTIES_AT;
  if ((flags & CONTENT_TYPE) !== 0) at += 1 + frame[at]!;
  if ((flags & CONTENT_ENCODING) !== 0) at += 1 + frame[at]!;
  return (flags & HEADERS) === 0 ? {} : new Values(frame, at).table();
}

/** Whether the client has made numbers of whole ones that it may have rounded. */
export function mayBeRounded(headers: object): boolean {
  // Tables may be nested deeper than there is a stack.
  const open = [headers];
  for (let table = open.pop(); table !== undefined; table = open.pop()) {
    for (const value of Object.values(table)) {
      if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return true;
      if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) open.push(value);
    }
  }
  return false;
}

const FLAGS_AT = 12;
const PROPERTIES_AT = 14;
/** Properties in their order, and the bits that say that they are there. */
const CONTENT_TYPE = 0x8000;
const CONTENT_ENCODING = 0x4000;
const HEADERS = 0x2000;

/** Values of fields, one after the other (RabbitMQ's errata of AMQP 0-9-1, section 3). */
class Values {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  table(): Readonly<Record<string, unknown>> {
    const end = this.#end();
    const table: Record<string, unknown> = {};
    while (this.#at < end) {
      const name = this.#take(this.#bytes[this.#at++]!).toString();
      table[name] = this.#value();
    }
    return table;
  }

  #array(): readonly unknown[] {
    const end = this.#end();
    const values: unknown[] = [];
    while (this.#at < end) values.push(this.#value());
    return values;
  }

  #value(): unknown {
    const type = String.fromCharCode(this.#bytes[this.#at++]!);
    switch (type) {
      case 'l':
        return this.#take(8).readBigInt64BE();
      case 'T':
        return this.#take(8).readBigUInt64BE();
      case 'F':
        return this.table();
      case 'A':
        return this.#array();
      case 'S':
        return this.#take(this.#length()).toString();
      case 'x':
        return this.#take(this.#length());
      case 'V':
        return null;
      case 't':
        return this.#take(1)[0] === 1;
      case 'D':
        return { scale: this.#take(1)[0]!, value: this.#take(4).readInt32BE() };
      default:
        return this.#number(type);
    }
  }

  #number(type: string): number {
    switch (type) {
      case 'b':
        return this.#take(1).readInt8();
      case 'B':
        return this.#take(1).readUInt8();
      case 's':
        return this.#take(2).readInt16BE();
      case 'u':
        return this.#take(2).readUInt16BE();
      case 'I':
        return this.#take(4).readInt32BE();
      case 'i':
        return this.#take(4).readUInt32BE();
      case 'f':
        return this.#take(4).readFloatBE();
      case 'd':
        return this.#take(8).readDoubleBE();
      default:
        throw new Error(`a header has a value of the type ${type}, which the client does not know either`);
    }
  }

  #end(): number {
    const length = this.#length();
    return this.#at + length;
  }

  #length(): number {
    return this.#take(4).readUInt32BE();
  }

  #take(bytes: number): Buffer {
    const from = this.#at;
    this.#at += bytes;
    return this.#bytes.subarray(from, this.#at);
  }
}
