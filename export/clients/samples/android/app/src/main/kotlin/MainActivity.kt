// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto.sample

import android.Manifest
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.compose.setContent
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts
import androidx.activity.viewModels
import androidx.compose.foundation.Image
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.lazy.LazyRow
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.Button
import androidx.compose.material3.FilterChip
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Slider
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp

class MainActivity : ComponentActivity() {
    private val model: StyleViewModel by viewModels()
    private val camera by lazy { Camera(this, this) }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContent { MaterialTheme { Screen(model, camera) } }
    }

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        model.trim()
    }

    override fun onDestroy() {
        model.closeCamera() // the model outlives this activity, and its camera
        camera.close()
        super.onDestroy()
    }
}

@Composable
private fun Screen(model: StyleViewModel, camera: Camera) {
    Column(Modifier.fillMaxSize().safeDrawingPadding().padding(16.dp), Arrangement.spacedBy(12.dp)) {
        Box(Modifier.weight(1f).fillMaxWidth(), Alignment.Center) {
            val picture = model.preview
            if (picture == null) {
                Text(stringResource(R.string.empty))
            } else {
                Image(picture.asImageBitmap(), contentDescription = model.style.name, Modifier.fillMaxSize())
            }
        }
        if (model.isBusy) LinearProgressIndicator(Modifier.fillMaxWidth())
        model.message?.let { Text(it) }
        LazyRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            items(model.styles) { style ->
                FilterChip(
                    selected = style == model.style,
                    onClick = { model.choose(style) },
                    label = { Text(style.name) },
                )
            }
        }
        Text(stringResource(R.string.strength))
        Slider(value = model.strength, onValueChange = { model.changeStrength(it) })
        Buttons(model, camera)
    }
}

@Composable
private fun Buttons(model: StyleViewModel, camera: Camera) {
    var isRunning by remember { mutableStateOf(false) }
    val picker = rememberLauncherForActivityResult(ActivityResultContracts.PickVisualMedia()) { photo ->
        if (photo != null) model.pick(photo)
    }
    val permission = rememberLauncherForActivityResult(ActivityResultContracts.RequestPermission()) { isGranted ->
        isRunning = isGranted
        if (isGranted) model.openCamera { camera.start(it, model::show) }
    }
    val context = LocalContext.current
    val saved = stringResource(R.string.saved)
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Button(onClick = {
            camera.stop()
            model.closeCamera()
            isRunning = false
            picker.launch(PickVisualMediaRequest(ActivityResultContracts.PickVisualMedia.ImageOnly))
        }) { Text(stringResource(R.string.pick)) }
        Button(onClick = {
            if (isRunning) {
                camera.stop()
                model.closeCamera()
                isRunning = false
            } else {
                permission.launch(Manifest.permission.CAMERA)
            }
        }) { Text(stringResource(if (isRunning) R.string.stop else R.string.camera)) }
        Button(enabled = model.result != null, onClick = { model.save(saved) }) { Text(stringResource(R.string.save)) }
        Button(enabled = model.result != null, onClick = { model.save(null) { share(context, it) } }) {
            Text(stringResource(R.string.share))
        }
    }
}
