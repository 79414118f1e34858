import { _, type CodeKeywordDefinition } from 'ajv/dist/2020.js';
import { alwaysValidSchema } from 'ajv/dist/compile/util.js';

/**
 * `prefixItems` in the place of ajv's, which, where it stops at the first fault (in large events, in `not` and in `if`), looks at no other
 * keyword of an array that ends before its first items do.
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
