# One image for web, worker, scheduler and the release phase: compose.yaml says which is which.
FROM python:3.12.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt ./
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
# npm comes along for this step only.
RUN python scripts/setup.py statics && rm -rf node_modules .venv/node var

FROM python:3.12.11-slim-bookworm
WORKDIR /app
RUN useradd --create-home --uid 10001 vezde && install -d -o vezde /var/lib/vezde
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 VAR_DIR=/var/lib/vezde
USER vezde
EXPOSE 8000
CMD ["gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"]
