"use strict";
// The schema's address is on the page: the page allows no script of its own.
SwaggerUIBundle({
  url: document.getElementById("docs").dataset.schema,
  dom_id: "#docs",
  deepLinking: true,
  supportedSubmitMethods: ["get", "head"],
  validatorUrl: null,
});
