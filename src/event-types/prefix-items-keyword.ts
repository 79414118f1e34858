import { _, type CodeKeywordDefinition } from 'ajv/dist/2020.js';
import { alwaysValidSchema } from 'ajv/dist/compile/util.js';

/**
 * Replaces ajv's `prefixItems`. Where ajv stops at the first fault (in large events, in `not` and in `if`), its own looks at no further
 * keyword of an array that has fewer items than the prefix.
 */
export const prefixItemsKeyword: CodeKeywordDefinition = {
  keyword: 'prefixItems',
  type: 'array',
  schemaType: 'array',
  before: 'items',
  code(cxt) {
    const { gen, data, it } = cxt;
    for (const [place, schema] of cxt.schema.entries()) {
      if (alwaysValidSchema(it, schema)) continue;
      const valid = gen.name('valid');
      gen.var(valid, true);
      const inner = { keyword: 'prefixItems', schemaProp: place, dataProp: place };
      gen.if(_`${data}.length > ${place}`, () => cxt.subschema(inner, valid));
      cxt.ok(valid);
    }
  },
};
