# This image was not built where it was written: there was no Docker there. Please report what differs.
FROM python:3.12-slim AS build
WORKDIR /app
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir uv==0.13.8
COPY requirements.txt requirements.lock ./
RUN /venv/bin/uv pip install --python /venv/bin/python --compile-bytecode --no-cache \
    -r requirements.txt -c requirements.lock

FROM node:22-slim AS front
WORKDIR /app/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci
COPY frontend .
RUN npm run build

FROM python:3.12-slim
ENV PATH="/venv/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    FLASK_ENV=production DATA_DIR=/data
RUN useradd --system --uid 10001 --home-dir /app leadline && install -d -o leadline /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
COPY --from=front /app/web/widget/static/dist web/widget/static/dist
USER leadline
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["gunicorn", "main:app", "-b", "0.0.0.0:8000"]
