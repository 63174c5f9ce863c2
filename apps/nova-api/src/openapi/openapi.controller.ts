import { Controller, Get, Header } from '@nestjs/common';
import document from './openapi.json' with { type: 'json' };

const TEXT = JSON.stringify(document);

/**
 * The API as OpenAPI 3.1, without authentication like the discovery of versions. The document is made by asking the API
 * itself (`npm run api-description`), and a test says when it no longer tells the truth.
 */
@Controller('openapi.json')
export class OpenApiController {
  @Get()
  @Header('content-type', 'application/json')
  show(): string {
    return TEXT;
  }
}
