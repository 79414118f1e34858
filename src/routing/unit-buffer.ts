const INITIAL_UNITS = 64;
const KEPT_UNITS = 16_384;
const double = new Float64Array(1);
const doubleUnits = new Uint16Array(double.buffer);

/** 16-bit units of several values, one after the other. */
export class UnitBuffer {
  units = new Uint16Array(INITIAL_UNITS);
  end = 0;

  clear(): void {
    this.end = 0;
    // What an unusual event made large is not kept for the usual ones.
    if (this.units.length > KEPT_UNITS) this.units = new Uint16Array(INITIAL_UNITS);
  }

  /** @returns where it begins */
  putText(text: string): number {
    const from = this.#room(text.length);
    const { units } = this;
    for (let i = 0; i < text.length; i++) units[from + i] = text.charCodeAt(i);
    return from;
  }

  /** Four units: the bits of the double, where 0 and -0 are one number. */
  putDouble(value: number): number {
    const from = this.#room(4);
    double[0] = value === 0 ? 0 : value;
    this.units.set(doubleUnits, from);
    return from;
  }

  putUnit(unit: number): number {
    const from = this.#room(1);
    this.units[from] = unit;
    return from;
  }

  /** Two units. */
  putInt(value: number): number {
    const from = this.putUnit(value & 0xffff);
    this.putUnit(value >>> 16);
    return from;
  }

  #room(length: number): number {
    const from = this.end;
    this.end += length;
    if (this.end > this.units.length) {
      const units = new Uint16Array(Math.max(this.end, this.units.length * 2));
      units.set(this.units.subarray(0, from));
      this.units = units;
    }
    return from;
  }
}

/** The double whose bits four units are. */
export function doubleOf(units: Uint16Array, from: number): number {
  for (let i = 0; i < 4; i++) doubleUnits[i] = units[from + i]!;
  return double[0]!;
}

/** The text that the units are. */
export function textOf(units: Uint16Array): string {
  let text = '';
  for (let i = 0; i < units.length; i++) text += String.fromCharCode(units[i]!);
  return text;
}
